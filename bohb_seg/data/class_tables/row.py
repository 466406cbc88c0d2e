"""A line of a class table of any kind, before it is checked."""

import re
from dataclasses import dataclass

from bohb_seg.data.classes import Colour

_HEX = re.compile(r"#?([0-9A-Fa-f]{6})")
_THREE = re.compile(r"\D*(\d+)\D+(\d+)\D+(\d+)\D*")


@dataclass(frozen=True)
class Row:
    """A class as a table names it; a colour, an index or both.

    Args:
        name: Name of the class.
        index: Its value in masks of one band or with a palette.
        colour: Its colour in masks.
        ignore: Whether the table itself says that the class does not count.
    """

    name: str
    index: int | None = None
    colour: Colour | None = None
    ignore: bool = False


def colour_of(value: object) -> Colour:
    """Reads a colour: ``#3C1098``, ``60,16,152``, ``rgb(60 16 152)`` or a list of numbers.

    Raises:
        ValueError: it is no colour.
    """
    if isinstance(value, str) and (found := _HEX.fullmatch(value.strip())):
        packed = int(found[1], 16)
        return packed >> 16, packed >> 8 & 0xFF, packed & 0xFF
    if isinstance(value, str) and (found := _THREE.fullmatch(value)):
        value = [int(each) for each in found.groups()]
    if isinstance(value, list | tuple) and len(value) in (3, 4):
        red, green, blue = (whole(each) for each in value[:3])
        if max(red, green, blue) <= 255:
            return red, green, blue
    raise ValueError(f"{value!r} is no colour; write it like #6EC1E4 or 110,193,228")


def whole(value: object) -> int:
    """Reads a whole number of at least 0.

    Raises:
        ValueError: it is none.
    """
    text = str(value).strip()
    number = float(text) if re.fullmatch(r"\d+(\.0*)?", text) else -1.0
    if isinstance(value, bool) or number < 0:
        raise ValueError(f"{text!r} is no whole number of at least 0")
    return int(number)
