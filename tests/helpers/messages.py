"""Messages of every kind that the wire carries, and many that it does not, drawn from a seed.

Values come from hypothesis, once for all messages, as serpent writes them. A message is put
together from such pieces of text, which is fast enough for a million.
"""

import collections
import contextlib
import struct
from dataclasses import dataclass, field

import Pyro4
import serpent
from helpers.daemons import HEADER, SERPENT, packed
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from Pyro4 import message

HEAD = b"# serpent utf-8 python3.2\n"
VALUES = 1500
"""Values that are drawn; each is used in many messages."""
LARGEST = 60_000
"""Bytes of most messages; a volley of them fits into the buffers of a connection."""

STRANGE = [
    "", "\x00", "\x1b[2J\x07", "\u202e", "\ud800", "'\"\\", "a\nb\r\tc", "__class__", "../../etc",
    "%s%n{0}$HOME", "nan", "0.5", "x" * 301, "\N{GRINNING FACE}" * 100,
]  # fmt: skip
texts = st.text(st.characters(exclude_categories=()), max_size=20) | st.sampled_from(STRANGE)
numbers = (
    st.integers()
    | st.integers(-(10**4000), 10**4000)
    | st.floats()
    | st.complex_numbers()
    | st.decimals()
    | st.sampled_from([0, -1, 2**31, 2**63, 2**64, 2**1023, 2**1024, 1.7e308, 5e-324, -0.0])
)
times = st.dates() | st.datetimes() | st.times() | st.timedeltas() | st.uuids()
scalars = st.none() | st.booleans() | numbers | texts | st.binary(max_size=40) | times
errors = st.builds(
    lambda kind, *said: kind(*said),
    st.sampled_from([ValueError, KeyError, OSError, SystemExit, KeyboardInterrupt, StopIteration])
    | st.sampled_from([Pyro4.errors.NamingError, Pyro4.errors.SecurityError, TimeoutError]),
    texts,
    scalars,
)
addresses = st.sampled_from(
    [f"PYRO:{name}@{place}" for name in ("x", "Pyro.NameServer", "a b", "x" * 400)
     for place in ("127.0.0.1:1", "[::1]:1", "127.0.0.1:0", "127.0.0.1:99999", "./u:s")]
)  # fmt: skip
objects = st.builds(lambda kind, place: held(kind, place), st.sampled_from(
    [Pyro4.URI, Pyro4.Proxy]), addresses)  # fmt: skip
keys = st.none() | st.booleans() | st.integers() | st.floats() | texts | st.tuples(texts, texts)
grown = st.recursive(
    scalars | errors | objects,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(keys, inner, max_size=4)
        | st.sets(keys, max_size=4)
        | st.lists(inner, max_size=2).map(collections.deque)
    ),
    max_leaves=12,
)
deep = st.builds(lambda value, depth: nested(value, depth), grown, st.integers(1, 120))
values = st.one_of(grown, grown, grown, grown, grown, deep)
"""Values of all types that serpent writes."""

CLASSES = [
    b"float", b"complex", b"Pyro4.core.URI", b"Pyro4.core.Proxy", b"Pyro4.core.Daemon",
    b"Pyro4.util.PickleSerializer", b"Pyro4.errors.", b"Pyro4.errors.PyroError",
    b"Pyro4.futures._ExceptionWrapper", b"builtins.SystemExit", b"builtins.BaseExceptionGroup",
    b"builtins.__import__", b"sqlite3.Error", b"exceptions.x", b"os.system", b"x", b"",
]  # fmt: skip
"""Classes that objects of the wire claim to be."""
RAW = [
    b"1+1", b"1+2j", b"-" * 150 + b"1", b"not 1", b"lambda: 0", b"f'{1}'", b"'''a'b'''", b"...",
    b"{**{}}", b"{*[]}", b"set()", b"0x" + b"f" * 5000, b"1_0", b"0o7", b"b'\\xff'", b"u'x'",
    b"'a' 'b'", b"'\\d'", b"1if 1else 2", b"x", b"x.y", b"f()", b"[1,", b"')", b"\xff\xfe", b"\x00",
    b"(" * 90 + b"1" + b")" * 90, b"[" * 300, b"{1:" * 300, b"1," * 5000, b"# '\n1", b"\\\n1",
    b"{[]:1}", b"{{}}", b"yield", b"await x", b"(x := 1)", b"9" * 4400, b"1" * 99,
]  # fmt: skip
"""Texts that Python reads, or does not, and serpent never writes."""
MANY = b"[" + b"1," * 1_200_000 + b"]"
UNFOLD = {
    "many values": MANY,
    "values behind a comment": b"0 # '\n+ " + MANY,
    "values behind quotes": b"[" + 4 * b"'" + b" " + 3 * b"'" + b"," + MANY + b"]",
    "values in a text": b"f'{" + MANY + b"}'",
}
"""Messages that would take a gigabyte when they are read."""
UNFOLDING = 1 / 2000
"""Share of them."""
KEYWORDS = [
    b"'%s'" % name
    for name in b"self id result name uri safe metadata prefix regex facts doing folder offset data"
    b" uploader size sha256 callback config budget working_directory micro_batches max_minutes"
    b" objectId streamId as_lists return_metadata metadata_all __class__ args".split()
]
COUNTS = {"store": 5, "keep": 5, "fetch": 3} | dict.fromkeys(
    ("renew", "hello", "register", "register_result", "start_computation"), 2
) | dict.fromkeys(("stored", "goodbye", "lookup", "list", "remove", "get_metadata"), 1)  # fmt: skip
"""Arguments that a method needs, if any."""
ORDER = [b"'config':{'x0':0.5}", b"'budget':1.0", b"'working_directory':'/nowhere'"]
FITS = 0.7
"""Chance that an argument fits; of five fit all in one of six calls."""
METHODS = [
    b"'%s'" % name
    for name in b"__getattr__ __setattr__ __init__ __class__ _pyroDaemon storage permit lock end"
    b" give_up a.b __reduce__ register.im_func".split()
]
"""Names that are no remote method anywhere."""


def held(kind, address):
    """An object of Pyro4's; the address itself if it can be none."""
    try:
        return kind(address)
    except Pyro4.errors.PyroError:
        return address


def nested(value, depth):
    for _ in range(depth):
        value = [value]
    return value


def written(value):
    """A value as serpent writes it, without the head."""
    return serpent.dumps(value, module_in_classname=True)[len(HEAD) :]


def drawn(number):
    """Values of all types that the wire carries, as serpent writes them."""
    found = []

    @seed(number)
    @settings(
        max_examples=VALUES,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(values)
    def draw(value):
        with contextlib.suppress(ValueError, TypeError):  # it is not one that serpent writes
            found.append(written(value))

    draw()
    return [each for each in found if len(each) <= LARGEST] + [written("y" * LARGEST)]


@dataclass(frozen=True)
class Remote:
    """One remote object.

    Args:
        name: Its object id.
        kind: Its kind, for the figures.
        methods: Names of its methods.
        spared: Methods that are never called as they should be, because that has its effect.
    """

    name: str
    kind: str
    methods: tuple[str, ...]
    spared: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Message:
    """One message.

    Args:
        kind: What it is about, for the figures: ``object.method``, or the defect that it has.
        data: Its bytes.
        is_answered: Whether the other side owes an answer, or the end of the connection.
        is_last: Whether nothing can be said to the other side after it.
    """

    kind: str
    data: bytes
    is_answered: bool = True
    is_last: bool = False


@dataclass
class Drawer:
    """Draws messages.

    Args:
        random: Source of all choices but the values themselves.
        values: Values, see :func:`drawn`.
        words: Values that mean something to the other side: names, addresses, folders.
        fitting: By method, values that fit as its first argument, its second and so on.
    """

    random: object
    values: list[bytes]
    words: list[bytes] = field(default_factory=list)
    fitting: dict[str, list[list[bytes]]] = field(default_factory=dict)

    def value(self):
        chance = self.random.random()
        if chance < 0.015:
            return self.random.choice(RAW)
        if chance < 0.03:
            return self._claims()
        if chance < 0.4 and self.words:
            return self.random.choice(self.words)
        return self.random.choice(self.values)

    def message(self, remote, number):
        """A message with this number to the object, whole or not."""
        if self.random.random() < UNFOLDING:
            kind = self.random.choice(list(UNFOLD))
            return Message(kind, framed(UNFOLD[kind], number))
        chance = self.random.random()
        if chance < 0.025:
            return self._broken(remote, number)
        method = self.random.choice(remote.methods)
        kind = f"{remote.kind}.{method}"
        if chance < 0.04:
            kind, payload = "no call", self.value()
        else:
            payload = self._call(remote, method)
        flags, is_answered = 0, True
        if chance > 0.92:
            flags, is_answered = message.FLAGS_ONEWAY, False
        elif chance > 0.91:
            flags = self.random.choice([1, 2, 8, 16, 32, 64, 0x8000])
        return Message(kind, framed(payload, number, flags), is_answered)

    def introduction(self):
        said = b"{'handshake':%s,'object':%s}" % (self.value(), self.value())
        payload = self.random.choice([said, self.value()])[:4000]
        flags = self.random.choice([0, message.FLAGS_META_ON_CONNECT])
        return Message("introduction", packed(message.MSG_CONNECT, HEAD + payload, flags))

    def _call(self, remote, method):
        random = self.random
        needed = COUNTS.get(method, 0)
        count = needed if random.random() < 0.6 else random.randrange(7)
        count = max(count, method in remote.spared)
        arguments = [self._argument(method, at) for at in range(count)]
        keywords = [*ORDER] if method == "start_computation" and random.random() < 0.3 else []
        if random.random() < 0.25:
            for _ in range(random.randrange(1, 4)):
                key = random.choice(KEYWORDS) if random.random() < 0.8 else self.value()
                keywords.append(b"%s:%s" % (key, self.value()))
        target, called = written(remote.name), written(method)
        if random.random() < 0.02:
            target = self.value()
        if random.random() < 0.02:
            called = random.choice([*METHODS, self.value()])
        given = b"(%s)" % b"".join(each + b"," for each in arguments)
        return b"(%s,%s,%s,{%s})" % (target, called, given, b",".join(keywords))

    def _argument(self, method, at):
        fitting = self.fitting.get(method, [])[at : at + 1]
        if fitting and self.random.random() < FITS:
            return self.random.choice(fitting[0])
        return self.value()

    def _claims(self):
        """An object of a class of our choice, with what would be in it."""
        name, value = self.random.choice(CLASSES), self.value
        inside = b"'state':%s,'value':%s,'args':%s" % (value(), value(), value())
        more = b"'attributes':{'__cause__':%s},'__exception__':%s" % (value(), value())
        return b"{'__class__':'%s',%s,%s}" % (name, inside, more)

    def _broken(self, remote, number):
        """A message that is not whole, or not one at all."""
        random = self.random
        whole = bytearray(framed(self._call(remote, random.choice(remote.methods)), number, 0))
        defect = random.choice(list(DEFECTS))
        return Message(defect, DEFECTS[defect](random, whole), is_last=True)


def framed(payload, number, flags=0, serializer=SERPENT):
    data = HEAD + payload
    total = message.MSG_INVOKE + 48 + len(data) + serializer + flags + number + 0x34E9
    sizes = len(data), serializer, 0, 0, total & 0xFFFF
    return HEADER.pack(b"PYRO", 48, message.MSG_INVOKE, flags, number, *sizes) + data


def _flipped(random, whole):
    for _ in range(random.choice((1, 1, 1, 2, 5))):
        at = random.randrange(min(len(whole), random.choice((24, 24, len(whole)))))
        whole[at] ^= 1 << random.randrange(8)
    return bytes(whole)


def _other(place, choices):
    """Puts another number into the header; its sum is right again."""

    def change(random, whole):
        fields = list(HEADER.unpack_from(whole))
        fields[place] = random.choice(choices)
        fields[9] = (sum(fields[1:8]) + 0x34E9) & 0xFFFF
        return HEADER.pack(*fields) + bytes(whole[HEADER.size :])

    return change


def _annotated(random, whole):
    text = random.choice((b"CORR", b"HMAC", b"BLBI", b"\xff\xfe\xfd\xfc", b"x"))
    notes = random.choice((text, text + struct.pack("!H", random.choice((0, 3, 16, 999))) + b"abc"))
    return packed(message.MSG_INVOKE, bytes(whole[HEADER.size :]), annotations=notes)


DEFECTS = {
    "cut short": lambda random, whole: bytes(whole[: random.randrange(1, len(whole))]),
    "flipped": _flipped,
    "another serializer": _other(6, (0, 2, 3, 4, 5, 6, 42, 65535)),
    "another size": _other(5, (0, 1, 10, 2**20, 2**24, 2**24 + 1, 2**31 - 1, -1, -(2**31))),
    "another kind": _other(2, (0, 1, 2, 3, 5, 6, 7, 65535)),
    "another version": _other(1, (0, 47, 49, 65535)),
    "annotated": _annotated,
    "noise": lambda random, whole: random.randbytes(random.choice((1, 24, 500))),
    "followed by noise": lambda random, whole: bytes(whole) + random.randbytes(30),
}
"""Defects of messages."""
