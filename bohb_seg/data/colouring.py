"""Labels in the colours of their classes."""

import numpy as np

from bohb_seg.data.classes import ClassTable, Colour
from bohb_seg.data.pixels import Pixels
from bohb_seg.trials import IGNORE

IGNORED_GREY = (128, 128, 128)
"""Colour of ignored pixels."""


def coloured(labels: Pixels, classes: ClassTable) -> Pixels:
    """Labels (height, width) in the colours of their classes, RGB (height, width, 3)."""
    palette = np.zeros((IGNORE + 1, 3), np.uint8)
    palette[: len(classes.colours)] = classes.colours
    palette[IGNORE] = IGNORED_GREY
    picture: Pixels = palette[labels]
    return picture


def as_hex(colour: Colour) -> str:
    """A colour as matplotlib and class tables write it, ``#RRGGBB``."""
    return "#{:02X}{:02X}{:02X}".format(*colour)
