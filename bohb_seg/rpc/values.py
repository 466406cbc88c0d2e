"""Plain Python values: only these cross the wire and stand in files."""

import math
import re
from collections.abc import Mapping
from typing import Any, Final

MAX_DEPTH: Final = 32
"""Lists in lists that are kept; deeper ones become ``"..."``."""
MAX_INTEGER_BITS: Final = 1023
"""Larger integers are infinite to everybody who computes with floats."""


def word(value: object, limit: int = 300) -> str:
    """Returns ``value`` if it is a text of at most ``limit`` characters, all of which can be seen.

    Raises:
        ValueError: it is not, or has white space, control characters or halves of characters.
    """
    if not isinstance(value, str) or not 0 < len(value) <= limit or not _is_visible(value):
        raise ValueError(f"expected a word of at most {limit} characters")
    return str(value)


def line(value: object, limit: int = 300) -> str:
    """Text of a stranger's value for a log: one line of at most ``limit`` characters.

    Whatever a terminal would obey or not show becomes a space.
    """
    told = _as_text(value)
    cut = told if len(told) <= limit else told[: limit - 3] + "..."
    return "".join(each if each.isprintable() else " " for each in cut)


def plain(value: object, depth: int = MAX_DEPTH) -> Any:
    """Turns a value into plain Python: None, bool, int, float, str, list and dict.

    NumPy scalars and arrays become numbers and lists, NaN, infinity and integers beyond every
    float become None, tuples and sets become lists, everything else its text. Containers deeper
    than ``depth`` become ``"..."``. The result can be written as JSON, and sent: no key of a dict
    is the one by which serpent tells objects.
    """
    if isinstance(value, str):
        return _writable(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value) if value.bit_length() <= MAX_INTEGER_BITS else None
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping | list | tuple | set | frozenset) and depth == 0:
        return "..."
    if isinstance(value, Mapping):
        return {_key(key): plain(item, depth - 1) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item, depth - 1) for item in value]
    if hasattr(type(value), "tolist"):  # of the value itself, a proxy would ask its remote object
        return plain(value.tolist(), depth)  # type: ignore[attr-defined]
    return _as_text(value)


def _is_visible(value: str) -> bool:
    return value.isprintable() and not re.search(r"\s", value)


def _key(value: object) -> str:
    """Text of a key; nobody could read a message with a dict that calls itself an object."""
    text = _as_text(value)
    return "class" if text == "__class__" else text


def _as_text(value: object) -> str:
    try:
        return _writable(str(value))
    except Exception:  # e.g. Python does not spell out integers of many thousand digits
        return "..."


def _writable(value: str) -> str:
    """Replaces halves of surrogate pairs, which a message can hold but no file."""
    return str(value) if value.isascii() else value.encode("utf-8", "replace").decode("utf-8")
