"""Masks to labels, by one look-up per pixel.

The class table and the file together decide what a mask's values mean:

* colour masks (RGB, RGBA without its alpha): the 24-bit colour is looked up;
* single-channel masks: the value is the index if the table has indices, else the grey colour;
* palette PNGs: the palette's index if the table has indices, else the palette's colour.
"""

import colorsys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from bohb_seg.data.classes import ClassEntry, ClassTable, rgb
from bohb_seg.data.pixels import decoded, memory_errors
from bohb_seg.trials import IGNORE

Labels = npt.NDArray[np.uint8]
Values = npt.NDArray[Any]

_UNKNOWN = 254
"""Label of colours and indices that are in no class, while a mask is decoded."""
_COLOURS = 1 << 24
_INDICES = 1 << 16


@dataclass(frozen=True)
class MaskCode:
    """Meaning of the masks' values.

    Args:
        classes: The classes that labels 0, 1, ... stand for.
        by_colour: Pairs of a colour 0xRRGGBB and its label.
        by_index: Pairs of a grey value or palette index and its label.
        unknown_label: Label of pixels of no class.
        by_name: Pairs of a class's name and its label, those of ignored classes among them; labels
            that are shapes have names only.
    """

    classes: ClassTable
    by_colour: tuple[tuple[int, int], ...]
    by_index: tuple[tuple[int, int], ...]
    unknown_label: int = IGNORE
    by_name: tuple[tuple[str, int], ...] = ()

    @cached_property
    def colour_table(self) -> Labels:
        """The label of every 24-bit colour; 16 MiB, shared by all masks."""
        return _table(self.by_colour, _COLOURS)

    @cached_property
    def index_table(self) -> Labels:
        """The label of every 16-bit index."""
        return _table(self.by_index, _INDICES)


@dataclass(frozen=True)
class DecodedMask:
    """A mask as labels.

    Args:
        labels: uint8, (height, width).
        unknown: Pixels of each colour ("#RRGGBB") or index ("index 7") that is in no class.
        palette: Whether the file was a palette PNG.
    """

    labels: Labels
    unknown: Mapping[str, int]
    palette: bool


def mask_code(entries: tuple[ClassEntry, ...], preset: str) -> MaskCode:
    """Numbers the classes of a table.

    Preset ``milestone3`` does as the Milestone 3 reports did (docs/origin.md): ignored classes are
    ordinary ones, and a pixel of unknown colour becomes class 0, because their decoder started from
    an array of zeros.
    """
    as_reports = preset == "milestone3"
    kept = [entry for entry in entries if as_reports or not entry.ignore]
    label = {entry.name: number for number, entry in enumerate(kept)}
    return MaskCode(
        classes=ClassTable(tuple(label), tuple(_drawn(entry, label[entry.name]) for entry in kept)),
        by_colour=tuple(
            (entry.packed_colour, label.get(entry.name, IGNORE))
            for entry in entries
            if entry.packed_colour is not None
        ),
        by_index=tuple(
            (entry.index, label.get(entry.name, IGNORE))
            for entry in entries
            if entry.index is not None
        ),
        unknown_label=0 if as_reports else IGNORE,
        by_name=tuple((entry.name, label.get(entry.name, IGNORE)) for entry in entries),
    )


def decode(content: bytes, code: MaskCode) -> DecodedMask:
    """Decodes a mask file.

    Raises:
        ValueError: it is no image that can be a mask; the message gives the reason.
    """
    values: Values = decoded(content, cv2.IMREAD_UNCHANGED)
    palette = _palette(content)
    if values.ndim == 2 and code.by_index:
        values, table, name = _undo_scaling(values, content), code.index_table, "index {}"
    else:
        values, name = _packed(values), "#{:06X}"
        table = _palette_table(palette, code) if palette and code.by_index else code.colour_table
    labels = np.take(table, values)
    unknown = labels == _UNKNOWN
    found, counts = np.unique(values[unknown], return_counts=True)
    labels[unknown] = code.unknown_label
    return DecodedMask(
        labels=labels,
        unknown=dict(zip(map(name.format, found.tolist()), counts.tolist(), strict=True)),
        palette=bool(palette),
    )


def _drawn(entry: ClassEntry, label: int) -> tuple[int, int, int]:
    if entry.packed_colour is not None:
        return rgb(entry.packed_colour)
    # Steps of the golden ratio around the colour circle keep any number of hues apart.
    red, green, blue = colorsys.hsv_to_rgb(label * 0.618034 % 1, 0.65, 0.9)
    return round(red * 255), round(green * 255), round(blue * 255)


def _table(pairs: Iterable[tuple[int, int]], size: int) -> Labels:
    table = np.full(size, _UNKNOWN, np.uint8)
    for value, label in pairs:
        table[value] = label
    return table


@memory_errors()
def _packed(values: Values) -> Values:
    """Blue, green, red (and alpha) or grey, (height, width[, 3|4]), as 0xRRGGBB."""
    if values.dtype != np.uint8:
        raise ValueError(f"has {values.dtype} values; save it as 8-bit colours or indices")
    if values.ndim == 2:
        values = cv2.cvtColor(values, cv2.COLOR_GRAY2BGRA)
    elif values.shape[2] == 3:
        values = cv2.cvtColor(values, cv2.COLOR_BGR2BGRA)
    packed: Values = np.ascontiguousarray(values).view("<u4")[..., 0] & 0xFFFFFF
    return packed


def _palette_table(palette: tuple[int, ...], code: MaskCode) -> Labels:
    """The label of every colour by its palette index; OpenCV has replaced indices by colours."""
    # From the last to the first, because unused entries at the end repeat the first colours.
    pairs = [(colour, int(code.index_table[i])) for i, colour in enumerate(palette)]
    return _table(reversed(pairs), _COLOURS)


_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_GREY, _PNG_PALETTE = 0, 3


def _palette(content: bytes) -> tuple[int, ...]:
    """The colours 0xRRGGBB of a palette PNG, empty for any other file."""
    if not content.startswith(_PNG) or content[25] != _PNG_PALETTE:
        return ()
    start = len(_PNG)
    while content[start + 4 : start + 8] not in (b"PLTE", b""):
        start += 12 + int.from_bytes(content[start : start + 4])
    size = int.from_bytes(content[start : start + 4])
    entries = content[start + 8 : start + 8 + size]
    return tuple(int.from_bytes(entries[i : i + 3]) for i in range(0, len(entries), 3))


def _undo_scaling(values: Values, content: bytes) -> Values:
    """Indices as written: OpenCV stretches PNGs of 1, 2 and 4 bits to 0..255."""
    depth = content[24] if content.startswith(_PNG) and content[25] == _PNG_GREY else 8
    if values.dtype not in (np.uint8, np.uint16):
        raise ValueError(f"has {values.dtype} values; save it as 8-bit or 16-bit indices")
    return values if depth >= 8 else values // np.uint8(255 // (2**depth - 1))
