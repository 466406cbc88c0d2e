"""Serpent as this package speaks it, for questions and answers alike: bounded, and of few classes.

Pyro4 checks neither. A peer could send what unfolds a thousandfold, in a question as well as in the
answer to ours, or answer with an exception that ends a thread, such as ``SystemExit``.
"""

import contextlib
import re
import threading
import warnings
from collections.abc import Mapping
from typing import Any, Final, final

import Pyro4
from Pyro4 import util

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


def install() -> None:
    """Makes this process speak it, without a word of Python's about what strangers write."""
    warnings.filterwarnings("ignore", category=SyntaxWarning, module="<unknown>")
    ours = Serializer()
    util._serializers["serpent"] = util._serializers_by_id[ours.serializer_id] = ours


def _refuse(data: bytes, compressed: bool) -> None:
    if compressed:
        raise Pyro4.errors.ProtocolError("a message of a refused kind")
    if len(data) <= STRUCTURE_BYTES:
        return
    header = _HEADER.match(data)
    values = _TEXTS.sub(b"''", data[header.end() if header else 0 :])
    if len(values) > STRUCTURE_BYTES or _HIDES.search(values):
        raise Pyro4.errors.MessageTooLargeError("a message of too many values")


def _turn(data: bytes) -> contextlib.AbstractContextManager[object]:
    return _one_at_a_time if len(data) > LARGE_BYTES else contextlib.nullcontext()
