"""Drafts of ``classes.yaml`` from the values that masks hold."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import yaml

from bohb_seg.data.class_tables import legend
from bohb_seg.data.classes import FILE_NAME, MAX_CLASSES, ClassEntry
from bohb_seg.data.mask_reading.containers import RawMask, unpack
from bohb_seg.data.mask_reading.meaning import numbers_of
from bohb_seg.data.mask_reading.nearest import ROUNDED
from bohb_seg.data.pixels import LARGEST
from bohb_seg.errors import DataError
from bohb_seg.files import read_regular, write_whole

MOST_MASKS = 200
"""Masks that are looked at, evenly over all of them."""
SMALLEST_SHARE = 0.001
"""Share of the pixels that a value of smeared masks must have to become a class."""
FEW = 40
"""Number of values up to which each becomes a class, whatever its share."""
APART = 64.0
"""Distance (of red, green, blue 0..255) below which two colours of smeared masks are one."""
MIXED_SHARE = 0.05
"""Share of the pixels from which a colour between two others is a class, not an edge."""
_IGNORED_INDEX = 255
_TWO_CLASSES = 2

Counts = Counter[int]


@dataclass(frozen=True)
class Seen:
    """Values of one mask or of several.

    Args:
        numbers: Pixels of each number, -1 for no data; None if it holds colours.
        colours: Pixels of each colour 0xRRGGBB, -1 for no data.
        lossy: Whether the container does not keep every value.
    """

    numbers: Counts | None
    colours: Counts
    lossy: bool


def write(masks: Sequence[Path], folder: Path) -> tuple[Path, Path]:
    """Writes ``classes.yaml`` and its legend into a folder; refuses to replace either.

    Args:
        masks: The mask files; at least one.
        folder: The data folder.

    Returns:
        The table and the picture.

    Raises:
        DataError: a file is there already, cannot be read or written, or holds no classes.
    """
    table, picture = folder / FILE_NAME, folder / legend.FILE_NAME
    for file in (table, picture):
        if file.exists():
            raise DataError(f"{file} exists already; move it away to have a new one drafted")
    picked = np.linspace(0, len(masks) - 1, min(MOST_MASKS, len(masks))).round().astype(int)
    shown = [masks[number] for number in picked]
    text = draft([_seen(file) for file in shown], len(masks))
    try:
        write_whole(table, text)
        write_whole(picture, legend.draw(table, shown))
    except OSError as error:
        raise DataError(f"{folder} cannot be written: {error.strerror}") from None
    return table, picture


def entries(masks: Sequence[bytes]) -> tuple[ClassEntry, ...]:
    """A class for each value of some masks, named after it.

    Args:
        masks: Contents of the mask files; at least one.

    Raises:
        DataError: they hold too many values to be masks of classes.
        ValueError: one is no mask; the message goes on after its name.
    """
    text = draft([look(unpack(content)) for content in masks], len(masks))
    return tuple(ClassEntry(**entry) for entry in yaml.safe_load(text))


def look(raw: RawMask) -> Seen:
    """Counts the values of a mask.

    Raises:
        ValueError: its numbers are neither whole numbers nor colours.
    """
    if (numbers := numbers_of(raw)) is not None:
        counted = _counted(numbers)
        grey = {value * 0x010101 if 0 <= value <= 255 else -1: n for value, n in counted.items()}
        return Seen(counted, Counter(grey), raw.lossy)
    if raw.values.dtype != np.uint8:
        raise ValueError(f"has {raw.values.dtype} values; save it as 8-bit colours or indices")
    bands = raw.values.astype(np.int64)
    packed = bands[..., 0] << 16 | bands[..., 1] << 8 | bands[..., 2]
    if raw.hidden is not None:
        packed[raw.hidden] = -1
    return Seen(None, _counted(packed), raw.lossy)


def draft(masks: Sequence[Seen], total: int) -> str:
    """Drafts the text of a ``classes.yaml``, which can be used as it is.

    Args:
        masks: The masks that were looked at; at least one.
        total: Number of masks that they were taken from.

    Raises:
        DataError: they hold too many values to be masks of classes.
    """
    by_colour = any(mask.numbers is None for mask in masks)
    counts: Counts = Counter()
    for mask in masks:
        counts.update(mask.colours if by_colour or mask.numbers is None else mask.numbers)
    hidden = counts.pop(-1, 0)
    many = len(counts)
    if len(counts) > FEW and (by_colour or any(mask.lossy for mask in masks)):
        counts = _without_smear(counts, by_colour)
    elif by_colour and len(rounded := _together(counts, by_colour, ROUNDED)) > 1:
        counts = rounded
    if not 1 <= len(counts) <= MAX_CLASSES:
        raise DataError(
            f"the masks hold {len(counts) or many} different values, and between 1 and"
            f" {MAX_CLASSES} can be classes; name the folder that holds the masks"
        )
    pixels = counts.total() + hidden
    lines = [
        f"# Drafted from {len(masks)} of {total} masks: give each class its name, and what does",
        f"# not count ignore: true. {legend.FILE_NAME} shows them.",
    ]
    for value, count in sorted(counts.items()):
        ignore = not by_colour and value == _IGNORED_INDEX and len(counts) > _TWO_CLASSES
        lines.append(f"{_entry(value, by_colour, ignore)}  # {count / pixels:.2%} of the pixels")
    if hidden:
        lines.append(f"# Transparent or no data, ignored in any case: {hidden / pixels:.2%}")
    return "\n".join(lines) + "\n"


def _entry(value: int, by_colour: bool, ignore: bool) -> str:
    key = (
        f'colour_{value:06X}, colour: "#{value:06X}"'
        if by_colour
        else (f"class_{value}, index: {value}")
    )
    return f"- {{name: {key}{', ignore: true' * ignore}}}"


def _seen(file: Path) -> Seen:
    try:
        return look(unpack(read_regular(file, LARGEST)))
    except ValueError as error:
        raise DataError(f"{file} is no mask of classes: the file {error}") from None
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror}") from None


def _counted(values: npt.NDArray[Any]) -> Counts:
    found, counts = np.unique(values, return_counts=True)
    return Counter(dict(zip(found.tolist(), counts.tolist(), strict=True)))


def _without_smear(counts: Counts, by_colour: bool) -> Counts:
    """The values that are meant: frequent, and no shade or mixture of more frequent ones."""
    total = counts.total()
    frequent = Counter({v: n for v, n in counts.items() if n >= SMALLEST_SHARE * total})
    kept: Counts = Counter()
    for value, count in _together(frequent, by_colour, APART).most_common(MAX_CLASSES + 1):
        points = [_point(other, by_colour) for other in kept]
        if count >= MIXED_SHARE * total or not _is_mixture(_point(value, by_colour), points):
            kept[value] = count
    return kept


def _together(counts: Counts, by_colour: bool, apart: float) -> Counts:
    """Values that lie apart; each other is counted with the nearest more frequent one."""
    kept: Counts = Counter()
    points: list[npt.NDArray[np.float64]] = []
    for value, count in counts.most_common():
        point = _point(value, by_colour)
        distances = [float(np.linalg.norm(point - other)) for other in points]
        if distances and min(distances) < apart:
            kept[[*kept][distances.index(min(distances))]] += count
        else:
            kept[value] = count
            points.append(point)
    return kept


def _is_mixture(point: npt.NDArray[np.float64], points: Sequence[npt.NDArray[np.float64]]) -> bool:
    """Whether a colour lies near to the line between two others."""
    for one, other in combinations(points, 2):
        way = other - one
        place = one + way * np.clip(np.dot(point - one, way) / np.dot(way, way), 0, 1)
        if np.linalg.norm(point - place) < APART:
            return True
    return False


def _point(value: int, by_colour: bool) -> npt.NDArray[np.float64]:
    if not by_colour:
        return np.array([value], np.float64)
    return np.array([value >> shift & 0xFF for shift in (16, 8, 0)], np.float64)
