"""A picture of a class table: some masks in the colours of their classes, and the legend."""

import io
from collections.abc import Sequence
from pathlib import Path

from bohb_seg.data.classes import read_file
from bohb_seg.data.colouring import IGNORED_GREY, as_hex, coloured
from bohb_seg.data.mask_reading.reading import read_mask
from bohb_seg.data.masks import mask_code
from bohb_seg.data.pixels import LARGEST
from bohb_seg.errors import printable
from bohb_seg.files import read_regular

FILE_NAME = "classes.png"
"""Name of the picture beside the table."""
SAMPLES = 4
"""Masks that are shown."""
INCHES = 3.0
"""Edge of one mask, in inches."""
LEGEND_COLUMNS, LEGEND_INCHES = 4, 0.2
"""Classes side by side in the legend, and the height of its rows in inches."""
LONGEST_NAME = 28
"""Letters of a name that fit."""


def draw(table: Path, masks: Sequence[Path]) -> bytes:
    """Draws a PNG.

    Args:
        table: A class table in the project's own form.
        masks: Mask files that it fits; at least one, of which a few are shown.

    Raises:
        OSError: a file cannot be read.
        ValueError: a mask cannot be decoded.
        DataError: the table is none.
    """
    from matplotlib import rc_context

    with rc_context({"text.parse_math": False}):  # a $ in a name begins no formula
        return _png(table, masks[:: -(-len(masks) // SAMPLES)])


def _png(table: Path, shown: Sequence[Path]) -> bytes:
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    code = mask_code(read_file(table), "default")
    names, colours = code.classes.names, code.classes.colours
    keys = [*zip(names, colours, strict=True), ("ignored", IGNORED_GREY)]
    rows = -(-len(keys) // LEGEND_COLUMNS)
    size = (max(2, len(shown)) * INCHES, INCHES + 0.4 + rows * LEGEND_INCHES)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(1, len(shown), squeeze=False).ravel()
    for axis, file in zip(axes, shown, strict=True):
        labels = read_mask(read_regular(file, LARGEST), code).labels
        axis.imshow(coloured(labels, code.classes), interpolation="nearest")
        axis.set_title(printable(file.name)[-LONGEST_NAME:], fontsize=7, loc="left")
        axis.set_axis_off()
    patches = [
        Patch(facecolor=as_hex(colour), edgecolor="black", label=name[:LONGEST_NAME])
        for name, colour in keys
    ]
    figure.legend(
        handles=patches,
        loc="outside lower center",
        ncol=min(len(keys), LEGEND_COLUMNS),
        frameon=False,
        fontsize=8,
    )
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=120, format="png")
    return buffer.getvalue()
