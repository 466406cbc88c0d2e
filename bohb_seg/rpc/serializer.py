"""Serpent as this package speaks it, for questions and answers alike: bounded, and of few classes.

Pyro4 checks neither. A peer could send what unfolds a thousandfold, in a question as well as in the
answer to ours, or answer with an exception that ends a thread, such as ``SystemExit``. It even
chooses the language of its answer to our introduction, for example pickle, which runs whatever code
it likes. So no other language is there to be chosen, except for the text of a refusal.
"""

import contextlib
import re
import threading
import warnings
from collections.abc import Mapping
from typing import Any, Final, final

import Pyro4
from Pyro4 import util

from bohb_seg.rpc import values

STRUCTURE_BYTES: Final = 2 * 1024 * 1024
"""Size of a message without its texts: a million numbers, which take 1 GB while they are parsed."""
LARGE_BYTES: Final = 64 * 1024
"""Messages above this size are read one at a time, so that not many unfold at once."""

_HEADER = re.compile(rb"# [ \w.-]*\n")
"""First line of all that serpent writes."""
_TEXTS = re.compile(rb"'(?:[^'\\]++|\\.)*+'?|\"(?:[^\"\\]++|\\.)*+\"?", re.DOTALL)
"""Texts as serpent writes them. Never backtracks, and takes an open text to the end: linear."""
_HIDES = re.compile(rb"#|''''|[A-Za-z]''")
"""Forms that serpent never writes, once texts are empty: comments, texts in three quotes, texts
right behind another or a letter. Behind or inside them Python sees values where we see a text."""
_one_at_a_time = threading.RLock()
_TEXT_BEGINS: Final = {**dict.fromkeys("zZ", 2), **dict.fromkeys("aAut", 5)}
"""Kinds of texts in marshal, and the place at which their characters begin: after the length."""
_MAY_BE_NAMED: Final = 0x80
"""Bit in such a kind that says that the text may come again."""


@final
class Serializer(util.SerpentSerializer):  # type: ignore[misc]
    """Takes the place of Pyro4's own."""

    def deserializeData(self, data: bytes, compressed: bool = False) -> Any:  # noqa: N802
        """The value of an answer or of an introduction."""
        _refuse(data, compressed)
        with _turn(data):
            return super().deserializeData(data)

    def deserializeCall(self, data: bytes, compressed: bool = False) -> Any:  # noqa: N802
        """The object, the method and the arguments of a call."""
        _refuse(data, compressed)
        with _turn(data):
            return super().deserializeCall(data)

    @classmethod
    def dict_to_class(cls, data: Mapping[str, Any]) -> Any:
        """An object that the protocol needs, or an exception.

        Raises:
            Pyro4.errors.SerializeError: it is another.
        """
        made = super().dict_to_class(data)
        if isinstance(made, Pyro4.URI | Pyro4.Proxy | Exception | float):  # a NaN comes as a class
            return made
        if isinstance(made, BaseException):
            return Pyro4.errors.PyroError(f"the peer answers with {type(made).__name__}")
        raise Pyro4.errors.SerializeError(f"refused an object of class {type(made).__name__}")


@final
class RefusalSerializer(util.MarshalSerializer):  # type: ignore[misc]
    """Writes the reason of a refusal as Pyro4's daemons do, in marshal; reads a text only.

    Python's own reader of marshal can be made to crash the process.
    """

    def loads(self, data: bytes) -> str:
        """The text; visible characters only.

        Raises:
            Pyro4.errors.ProtocolError: it is none.
        """
        data = bytes(data)
        begin = _TEXT_BEGINS.get(chr(data[0] & ~_MAY_BE_NAMED)) if data else None
        if begin is None:
            raise Pyro4.errors.ProtocolError("no introduction: a refusal that is no text")
        return values.line(data[begin:].decode("utf-8", "replace"))

    def loadsCall(self, data: bytes) -> Any:  # noqa: N802
        """Refused."""
        raise Pyro4.errors.ProtocolError("a message of a refused kind")


def install() -> None:
    """Makes this process speak it, and understand nothing else.

    Python says no word about what strangers write.
    """
    warnings.filterwarnings("ignore", category=SyntaxWarning, module="<unknown>")
    ours, refusals = Serializer(), RefusalSerializer()
    for table, known in (
        (util._serializers, {"serpent": ours, "marshal": refusals}),
        (util._serializers_by_id, {each.serializer_id: each for each in (ours, refusals)}),
    ):
        table.clear()
        table.update(known)


def _refuse(data: bytes, compressed: bool) -> None:
    if compressed:
        raise Pyro4.errors.ProtocolError("a message of a refused kind")
    if len(data) <= STRUCTURE_BYTES:
        return
    header = _HEADER.match(data)
    bare = _TEXTS.sub(b"''", data[header.end() if header else 0 :])
    if len(bare) > STRUCTURE_BYTES or _HIDES.search(bare):
        raise Pyro4.errors.MessageTooLargeError("a message of too many values")


def _turn(data: bytes) -> contextlib.AbstractContextManager[object]:
    return _one_at_a_time if len(data) > LARGE_BYTES else contextlib.nullcontext()
