"""The meaning of masks' values: the label of each colour, index and name, by the class table.

How a file's values are understood by it is :mod:`bohb_seg.data.mask_reading`'s.
"""

import colorsys
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from bohb_seg.data.classes import ClassEntry, ClassTable, rgb
from bohb_seg.trials import IGNORE

Labels = npt.NDArray[np.uint8]

UNKNOWN = 254
"""Label of colours and indices that are in no class, while a mask is decoded."""
_COLOURS = 1 << 24


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
        table = np.full(_COLOURS, UNKNOWN, np.uint8)
        for value, label in self.by_colour:
            table[value] = label
        return table


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


def _drawn(entry: ClassEntry, label: int) -> tuple[int, int, int]:
    if entry.packed_colour is not None:
        return rgb(entry.packed_colour)
    # Steps of the golden ratio around the colour circle keep any number of hues apart.
    red, green, blue = colorsys.hsv_to_rgb(label * 0.618034 % 1, 0.65, 0.9)
    return round(red * 255), round(green * 255), round(blue * 255)
