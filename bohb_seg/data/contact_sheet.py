"""Contact sheets: images beside their masks, with a legend."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bohb_seg.data.classes import ClassTable, Colour
from bohb_seg.data.collection import Collection, Pair
from bohb_seg.data.masks import decode
from bohb_seg.data.pixels import Pixels, read_image
from bohb_seg.trials import IGNORE

IGNORED_GREY = (128, 128, 128)
"""Colour of ignored pixels."""
COLUMNS = 2
"""Pairs side by side."""
INCHES = 2.6
"""Edge of one picture on the sheet, in inches."""


def draw(collection: Collection, pairs: int, target: Path) -> None:
    """Draws an image | mask sheet as a PNG.

    Args:
        collection: The data set.
        pairs: Largest number of pairs to show, taken evenly over the whole data set.
        target: The file to write.

    Raises:
        OSError: the file cannot be written.
        ValueError: an image or mask cannot be read.
    """
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    shown = _evenly(collection.pairs, pairs)
    rows = -(-len(shown) // COLUMNS)
    size = (2 * COLUMNS * INCHES, rows * (INCHES + 0.35) + 0.6)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(rows, 2 * COLUMNS, squeeze=False).ravel()
    for axis in axes:
        axis.set_axis_off()
    classes = collection.code.classes
    for pair, image_axis, mask_axis in zip(shown, axes[::2], axes[1::2], strict=False):
        labels = decode(pair.mask.read_bytes(), collection.code).labels
        image_axis.imshow(read_image(pair.image.read_bytes()))
        image_axis.set_title(pair.name, fontsize=7, loc="left")
        mask_axis.imshow(coloured(labels, classes), interpolation="nearest")
        mask_axis.set_title(pair.mask.name, fontsize=7, loc="left")
    keys = [*zip(classes.names, classes.colours, strict=True), ("ignored", IGNORED_GREY)]
    figure.legend(
        handles=[Patch(color=_hex(colour), label=name) for name, colour in keys],
        loc="outside lower center",
        ncol=min(len(keys), 7),
        frameon=False,
    )
    figure.savefig(target, dpi=150, format="png")


def coloured(labels: Pixels, classes: ClassTable) -> Pixels:
    """Labels (height, width) in the colours of their classes, RGB (height, width, 3)."""
    palette = np.zeros((IGNORE + 1, 3), np.uint8)
    palette[: len(classes.colours)] = classes.colours
    palette[IGNORE] = IGNORED_GREY
    picture: Pixels = palette[labels]
    return picture


def _evenly(pairs: Sequence[Pair], wanted: int) -> list[Pair]:
    picked = np.linspace(0, len(pairs) - 1, min(wanted, len(pairs))).round().astype(int)
    return [pairs[number] for number in picked]


def _hex(colour: Colour) -> str:
    return "#{:02X}{:02X}{:02X}".format(*colour)
