"""Mask files of any container to labels: :func:`read_mask`."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bohb_seg.data.mask_reading.containers import RawMask, unpack
from bohb_seg.data.mask_reading.meaning import Labels, Meaning, meaning_of
from bohb_seg.data.mask_reading.nearest import ROUNDED, SMEARED, is_soft, nearest
from bohb_seg.data.masks import UNKNOWN, MaskCode
from bohb_seg.data.pixels import memory_errors
from bohb_seg.trials import IGNORE


@dataclass(frozen=True)
class DecodedMask:
    """A mask as labels.

    Args:
        labels: uint8, (height, width).
        unknown: Pixels of each colour ("#RRGGBB") or index ("index 7") that is in no class.
        palette: Whether the file has a palette.
        smeared: Share of pixels that were given to the nearest class, 0..1.
    """

    labels: Labels
    unknown: Mapping[str, int]
    palette: bool
    smeared: float = 0.0


@memory_errors()
def read_mask(content: bytes, code: MaskCode) -> DecodedMask:
    """Decodes a mask file of any container; the rules stand in ``meaning`` and ``nearest``.

    Raises:
        ValueError: it is no image that can be a mask; the message gives the reason.
    """
    return labelled(unpack(content), code)


def labelled(raw: RawMask, code: MaskCode) -> DecodedMask:
    """Finds out what the values of a mask stand for, and gives each pixel its label.

    Raises:
        ValueError: the values can be neither indices nor colours; the message says which.
    """
    meaning = meaning_of(raw, code)
    labels = meaning.looked_up()
    at = labels == UNKNOWN
    found, places, counts = np.unique(meaning.values[at], return_inverse=True, return_counts=True)
    if raw.counts is not None:
        counts = np.zeros(len(found), np.int64)
        np.add.at(counts, places, raw.counts[at])
    size = raw.pixels()
    given = np.full(len(found), UNKNOWN, np.uint8)
    given[np.isin(found, list(meaning.nodata))] = IGNORE
    strange = given == UNKNOWN
    if code.unknown_label == IGNORE:  # else: as the Milestone 3 reports, which knew no nearest one
        given[strange] = _nearest(found[strange], counts[strange], meaning, raw.lossy, size)
    unknown: Counter[str] = Counter()
    left = given == UNKNOWN
    for value, count in zip(found[left].tolist(), counts[left].tolist(), strict=True):
        unknown[meaning.name(value)] += count
    smeared = counts[strange & ~left].sum() / max(1, size)
    given[left] = code.unknown_label
    labels[at] = given[places]
    return DecodedMask(labels, dict(unknown), raw.palette is not None, float(smeared))


def _nearest(
    values: npt.NDArray[Any],
    counts: npt.NDArray[np.int64],
    meaning: Meaning,
    is_lossy: bool,
    pixels: int,
) -> Labels:
    """The label of the nearest class for each value of no class, or UNKNOWN."""
    points = np.array([meaning.point(value) for value in values.tolist()], np.int64)
    known = np.array([point for point, _ in meaning.known], np.int64)
    # One more, for the position -1 of what is not near to any.
    labels = np.array([*(label for _, label in meaning.known), UNKNOWN], np.uint8)
    if is_lossy or meaning.is_soft:
        return labels[nearest(points, known, SMEARED)]
    if meaning.is_soft is not None:
        return labels[nearest(points, known, 0)]
    given = labels[nearest(points, known, ROUNDED)]
    left = given == UNKNOWN
    if is_soft(counts[left].tolist(), pixels):
        given[left] = labels[nearest(points[left], known, SMEARED)]
    return given
