"""Contact sheets: images as a network sees them beside their masks, with a legend."""

import errno
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from bohb_seg.data.classes import ClassTable
from bohb_seg.data.colouring import IGNORED_GREY, as_hex
from bohb_seg.data.looking.outlook import Outlook
from bohb_seg.data.looking.pictures import Picture, pictures
from bohb_seg.data.looking.remarks import chosen, remarks, shares
from bohb_seg.files import write_whole
from bohb_seg.report.style import FAILED, drawable, png, styled

COLUMNS = 2
"""Pairs side by side."""
INCHES = 2.6
"""Edge of one picture on the sheet, in inches."""
BETWEEN, GAP, TOP = 0.5, 0.1, 0.6
"""Inches between two rows, for names and remarks, between columns, and above the first row."""
TALLEST = 1.5
"""Height of a picture at most, as a multiple of its width on the sheet; narrow ones are fitted."""
EDGE = 420
"""Longest edge of a picture in its own pixels, about: as many as the sheet shows."""
LEGEND_COLUMNS, LEGEND_INCHES = 6, 0.19
"""Classes side by side in the legend, and the height of its rows in inches."""
LONGEST_FILE, LONGEST_REMARK, LONGEST_CLASS = 42, 88, 16
"""Letters of a file's name that fit above a picture, of remarks below it, and of a class's name in
the legend; those of Chinese and the like count twice."""


def draw(known: Outlook, pairs: int, target: Path) -> list[Path]:
    """Draws a sheet for each part, or a single one of data that have no parts.

    Args:
        known: The data set; with at least one pair.
        pairs: Largest number of pairs on a sheet.
        target: A PNG; ``sheet.png`` becomes ``sheet-train.png`` and so on.

    Returns:
        The files that were written.

    Raises:
        DataError: the store is damaged, or cannot be read.
        OSError: a file cannot be written.
    """
    written = []
    for part, those in shares(known).items():
        file = target.with_name(f"{target.stem}-{part}{target.suffix}") if part else target
        refuse_others(file)
        choices = chosen(remarks(known), those, _classes(known).names, pairs)
        shown = list(pictures(known, choices, EDGE, part or None))
        write_whole(file, png(_sheet(shown, _classes(known), _headline(known, part, those))))
        written.append(file)
    return written


def refuse_others(place: Path) -> None:
    """Refuses a folder, a pipe or a device as a place to write to.

    Raises:
        OSError: it is there and no file.
    """
    if place.exists() and not place.is_file():
        raise OSError(errno.EINVAL, "this is no file", str(place))


def _classes(known: Outlook) -> ClassTable:
    assert known.collection, "there is nothing to draw"
    return known.collection.code.classes


def _headline(known: Outlook, part: str, those: Mapping[int, object]) -> str:
    if part:
        return f"{part}: {len(those)} of {len(known.names)} images, as a network sees them"
    return f"all {len(known.names)} images; bohb-data check says why they cannot be used"


@styled
def _sheet(shown: Sequence[Picture], classes: ClassTable, headline: str) -> Figure:
    keys = [*zip(classes.names, classes.colours, strict=True), ("ignored", IGNORED_GREY)]
    rows = [shown[first : first + COLUMNS] for first in range(0, len(shown), COLUMNS)]
    heights = [max(map(_height, row)) for row in rows]
    below = LEGEND_INCHES * -(-len(keys) // LEGEND_COLUMNS) + 0.1
    width = 2 * COLUMNS * (INCHES + GAP) + GAP
    total = TOP + sum(heights) + len(rows) * BETWEEN + below
    figure = Figure(figsize=(width, total))
    figure.text(GAP / width, 1 - 0.2 / total, headline, fontsize=10, va="center", weight="bold")
    top = TOP
    for row, height in zip(rows, heights, strict=True):
        places = ((GAP + (INCHES + GAP) * column) / width for column in range(2 * COLUMNS))
        size = INCHES / width, height / total
        axes = [figure.add_axes((left, 1 - (top + height) / total, *size)) for left in places]
        for axis in axes:
            axis.set_axis_off()
        for picture, image_axis, mask_axis in zip(row, axes[::2], axes[1::2], strict=False):
            _pair(picture, image_axis, mask_axis)
        top += height + BETWEEN
    figure.legend(
        handles=[
            Patch(facecolor=as_hex(colour), edgecolor="#555555", label=_beginning(name))
            for name, colour in keys
        ],
        loc="lower center",
        ncol=min(len(keys), LEGEND_COLUMNS),
        fontsize=8,
    )
    return figure


def _height(picture: Picture) -> float:
    """Height of a picture on the sheet, in inches."""
    if picture.image is None:
        return INCHES / 2
    height, width = picture.image.shape[:2]
    return min(TALLEST, height / width) * INCHES


def _pair(picture: Picture, image_axis: Axes, mask_axis: Axes) -> None:
    if picture.image is None or picture.labels is None:
        for axis in (image_axis, mask_axis):
            axis.set(xlim=(0, 1), ylim=(0, 1))
            axis.plot([0, 1, 1, 0, 0], [0, 0, 1, 1, 0], color="#bbbbbb", linewidth=1)
            axis.text(0.5, 0.5, "no picture", ha="center", va="center", color="#777777")
    else:
        image_axis.imshow(picture.image)
        mask_axis.imshow(picture.labels, interpolation="nearest")
    for axis, name in ((image_axis, picture.name), (mask_axis, picture.mask)):
        axis.set_anchor("NW")
        _note(axis, _middle(name), 1, "bottom", "#222222")
    words = _fitting("; ".join(picture.words), LONGEST_REMARK)
    colour = FAILED if picture.is_odd else "#555555"
    _note(image_axis, words, 0, "top", colour)


def _note(axis: Axes, text: str, height: int, va: str, colour: str) -> None:
    """Writes above (1) or below (0) a picture."""
    away = (0, 3 if height else -3)
    place: Any = ((0, height), away, "axes fraction", "offset points")
    axis.annotate(text, *place, fontsize=7, va=va, color=colour)


def _middle(name: str) -> str:
    """A name of which the folders are left out if it does not fit, then the middle."""
    shown = drawable(name)
    if _wide(shown) <= LONGEST_FILE:
        return shown
    shown = shown.rpartition("/")[2]
    if _wide(shown) <= LONGEST_FILE - 2:
        return f"…/{shown}"
    half = LONGEST_FILE // 2
    return f"{_fitted(shown, half)}…{_fitted(shown[::-1], half)[::-1]}"


def _beginning(name: str) -> str:
    return _fitting(name, LONGEST_CLASS)


def _fitting(text: str, most: int) -> str:
    """The beginning of a text, as far as it fits."""
    shown = drawable(text)
    return shown if _wide(shown) <= most else f"{_fitted(shown, most)}…"


def _fitted(letters: str, most: int) -> str:
    kept = ""
    for letter in letters:
        if _wide(kept + letter) > most - 1:
            break
        kept += letter
    return kept


def _wide(text: str) -> int:
    """Letters, those of double width twice."""
    return sum(1 + (unicodedata.east_asian_width(letter) in "WF") for letter in text)
