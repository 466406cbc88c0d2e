"""Contact sheets: images beside their masks, with a legend."""

import errno
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bohb_seg.data.classes import ClassTable, Colour
from bohb_seg.data.collection import Collection, Pair
from bohb_seg.data.imagery.reader import chosen_bands, open_image
from bohb_seg.data.masks import decode
from bohb_seg.data.pixels import LARGEST, Pixels
from bohb_seg.errors import printable
from bohb_seg.files import read_regular
from bohb_seg.trials import IGNORE

IGNORED_GREY = (128, 128, 128)
"""Colour of ignored pixels."""
COLUMNS = 2
"""Pairs side by side."""
INCHES = 2.6
"""Edge of one picture on the sheet, in inches."""
LEGEND_COLUMNS, LEGEND_INCHES = 6, 0.17
"""Classes side by side in the legend, and the height of its rows in inches."""
LONGEST_FILE, LONGEST_CLASS = 48, 16
"""Letters of a file's name that fit above a picture, and of a class's name in the legend."""


def draw(collection: Collection, pairs: int, target: Path) -> None:
    """Draws an image | mask sheet as a PNG.

    Args:
        collection: The data set.
        pairs: Largest number of pairs to show, taken evenly over the whole data set.
        target: The file to write.

    Raises:
        OSError: a file cannot be read or written.
        ValueError: an image or mask cannot be decoded.
    """
    from matplotlib import rc_context

    if target.exists() and not target.is_file():
        raise OSError(errno.EINVAL, "this is no file", str(target))
    with rc_context({"text.parse_math": False}):  # a $ in a name begins no formula
        target.write_bytes(_png(collection, _evenly(collection.pairs, pairs)))


def _png(collection: Collection, shown: Sequence[Pair]) -> bytes:
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    classes = collection.code.classes
    keys = [*zip(classes.names, classes.colours, strict=True), ("ignored", IGNORED_GREY)]
    legend = -(-len(keys) // LEGEND_COLUMNS)
    rows = -(-len(shown) // COLUMNS)
    height = rows * (INCHES + 0.35) + LEGEND_INCHES * legend + 0.4
    figure = Figure(figsize=(2 * COLUMNS * INCHES, height), layout="constrained")
    axes = figure.subplots(rows, 2 * COLUMNS, squeeze=False).ravel()
    for axis in axes:
        axis.set_axis_off()
    for pair, image_axis, mask_axis in zip(shown, axes[::2], axes[1::2], strict=False):
        labels = decode(read_regular(pair.mask, LARGEST), collection.code).labels
        with open_image(pair.image) as image:
            bands = chosen_bands(image.facts)[:3]
            size = image.facts.height, image.facts.width
            image_axis.imshow(image.window(0, 0, *size, bands).values)
        image_axis.set_title(_end(pair.name), fontsize=7, loc="left")
        mask_axis.imshow(coloured(labels, classes), interpolation="nearest")
        mask_axis.set_title(_end(printable(pair.mask.name)), fontsize=7, loc="left")
    figure.legend(
        handles=[Patch(color=as_hex(colour), label=_beginning(name)) for name, colour in keys],
        loc="outside lower center",
        ncol=min(len(keys), LEGEND_COLUMNS),
        frameon=False,
        fontsize=8,
    )
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=150, format="png")
    return buffer.getvalue()


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


def _end(name: str) -> str:
    return name if len(name) <= LONGEST_FILE else f"…{name[1 - LONGEST_FILE :]}"


def _beginning(name: str) -> str:
    return name if len(name) <= LONGEST_CLASS else f"{name[: LONGEST_CLASS - 1]}…"


def as_hex(colour: Colour) -> str:
    """A colour as matplotlib and class tables write it, ``#RRGGBB``."""
    return "#{:02X}{:02X}{:02X}".format(*colour)
