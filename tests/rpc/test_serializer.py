"""What both a question and an answer may hold, and what is made of it."""

import threading
import warnings
import zlib

import Pyro4
import pytest
import serpent
from hypothesis import given
from hypothesis import strategies as st
from Pyro4 import util

from bohb_seg.rpc import pyro, serializer
from bohb_seg.rpc.serializer import LARGE_BYTES, STRUCTURE_BYTES, Serializer

ours = Serializer()
LARGE = b"[" + b"1," * STRUCTURE_BYTES + b"]"


def of_class(name, **further):
    return serpent.dumps({"__class__": name, **further})


def test_it_is_the_one_that_pyro4_uses():
    pyro.set_up_pyro()
    assert isinstance(util.get_serializer("serpent"), Serializer)
    assert isinstance(util.get_serializer_by_id(ours.serializer_id), Serializer)


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9) | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=9,
)


@given(plain)
def test_plain_values_pass(value):
    data, _ = ours.serializeData(value)
    assert ours.deserializeData(data) == value
    call, _ = ours.serializeCall("object", "method", (value,), {"k": value})
    assert ours.deserializeCall(call) == ("object", "method", (value,), {"k": value})


def test_what_the_protocol_needs_passes():
    for value in (Pyro4.URI("PYRO:x@[::1]:1"), Pyro4.Proxy("PYRO:x@h:1"), KeyError("k")):
        data, _ = ours.serializeData(value)
        found = ours.deserializeData(data)
        assert type(found) is type(value)
    assert str(ours.deserializeData(of_class("float", value="nan"))) == "nan"


@pytest.mark.parametrize("name", ["SystemExit", "KeyboardInterrupt", "GeneratorExit"])
def test_an_exception_that_ends_threads_becomes_one_that_does_not(name):
    sent = of_class(f"builtins.{name}", __exception__=True, args=("x",), attributes={})
    found = ours.deserializeData(sent)
    assert isinstance(found, Pyro4.errors.PyroError)
    assert name in str(found)


@pytest.mark.parametrize(
    "sent",
    [
        of_class("Pyro4.core.Daemon", state=()),
        of_class("Pyro4.core.Daemon", state=(), __exception__=True),
        of_class("Pyro4.util.PickleSerializer"),
        of_class("Pyro4.futures._ExceptionWrapper", exception=1),
        of_class("os.system", args=("true",)),
        of_class("builtins.__import__", __exception__=True, args=("os",)),
        of_class("a\x1b[2Jb"),
        of_class(7),
        serpent.dumps([1, {"a": {"__class__": "bohb_seg.Unknown"}}]),
    ],
)
def test_other_classes_are_refused(sent):
    with pytest.raises((Pyro4.errors.PyroError, TypeError, AttributeError)):
        ours.deserializeData(sent)


UNFOLDS = {
    "a compressed text": zlib.compress(serpent.dumps("x" * 100_000_000)),
    "values": LARGE,
    "values before a text without an end": b"1," * STRUCTURE_BYTES + rb"'" + rb"\'" * 99,
    "values behind a comment": b"# '\n" + LARGE,
    "values behind a first line": b"# serpent utf-8 python3.2\r" + LARGE,
    "values behind a comment inside": b"['a', # it's\n" + LARGE + b"]",
    "values behind three quotes": b"[" + 4 * b"'" + b" " + 3 * b"'" + b"," + LARGE + b"]",
    "values in a text": b"f'{" + LARGE + b"}'",
    "values in a text in a text": b"rf\"'{" + LARGE + b"}'\"",
}


@pytest.mark.parametrize("read", [ours.deserializeData, ours.deserializeCall])
@pytest.mark.parametrize("what", UNFOLDS)
def test_what_would_unfold_is_refused_before_it_does(read, what):
    with pytest.raises(Pyro4.errors.CommunicationError, match=r"refused kind|too many values"):
        read(UNFOLDS[what], compressed="compressed" in what)


def test_long_texts_of_all_kinds_pass():
    sent = ["it's #1", '"a"', 3 * "'", "f'{x}'", "\\'", "'"] * 20_000 + ["x" * 2_000_000]
    data, _ = ours.serializeData(sent)
    assert len(data) > STRUCTURE_BYTES
    assert ours.deserializeData(data) == sent


def test_large_messages_are_read_one_at_a_time():
    large, _ = ours.serializeData("x" * LARGE_BYTES)
    read = threading.Event()
    thread = threading.Thread(target=lambda: (ours.deserializeData(large), read.set()))
    with serializer._one_at_a_time:
        thread.start()
        assert ours.deserializeData(b"1") == 1
        assert not read.wait(0.2)
    thread.join()
    assert read.is_set()


def test_python_says_nothing_about_what_strangers_write():
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        serializer.install()
        for odd in (b"1or 2", b"'\\d' or 1", b"0x1for x in y"):
            with pytest.raises((ValueError, SyntaxError)):
                pytest.fail(repr(ours.deserializeData(b"(" + odd + b")")))
    assert [each for each in heard if each.category is SyntaxWarning] == []
