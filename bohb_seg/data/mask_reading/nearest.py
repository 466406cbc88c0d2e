"""The class that a smeared pixel had: the nearest one of the table, within a stated distance.

Distances are Euclidean, of red, green and blue 0..255. A file that keeps every value is off by a
little where a tool rounded (DeepGlobe, ISPRS): there a pixel takes a colour within
:data:`ROUNDED`. JPEG and soft edges are off by much: there, within :data:`SMEARED`. A file has soft
edges if nearly all of its pixels are of a class and more than :data:`MANY` other colours are left:
nobody forgets so many. In any case a pixel must be nearer than half of the way between the two
closest colours of the table, so that never two classes are as good.

Indices are numbers, not colours: only grey of two classes, 0 and 255, can be smeared.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

ROUNDED = 12.0
"""Largest distance in files that keep every value."""
SMEARED = 128.0
"""Largest distance in JPEG files and in files with soft edges."""
MANY = 8
"""Number of colours of no class above which a file has soft edges."""
NEARLY_ALL = 0.75
"""Share of pixels that must be of a class for the others to be soft edges."""
_AT_ONCE = 1 << 15
"""Colours compared at once, for the sake of memory."""

Points = npt.NDArray[np.int64]


def nearest(strange: Points, known: Points, largest: float) -> npt.NDArray[np.intp]:
    """The nearest known colour of each strange one.

    Args:
        strange: Colours 0xRRGGBB, (n,); negative ones have none.
        known: Colours of the classes, (k,).
        largest: Largest distance.

    Returns:
        Positions in ``known``, (n,); -1 where none is near enough.
    """
    found = np.full(len(strange), -1, np.intp)
    if not len(known):
        return found
    points, limit = _points(known), min(largest, _half_gap(known))
    for start in range(0, len(strange), _AT_ONCE):
        part = _points(strange[start : start + _AT_ONCE])
        squares = np.stack([((part - point) ** 2).sum(axis=1) for point in points], axis=1)
        closest = squares.argmin(axis=1)
        near = np.sqrt(squares.min(axis=1)) < limit
        found[start : start + _AT_ONCE] = np.where(near, closest, -1)
    found[strange < 0] = -1
    return found


def is_soft(counts: Sequence[int], pixels: int) -> bool:
    """Whether colours that are in no class look like soft edges.

    Args:
        counts: Pixels of each of these colours.
        pixels: Pixels of the file.
    """
    return len(counts) > MANY and sum(counts) <= (1 - NEARLY_ALL) * pixels


def _half_gap(known: Points) -> float:
    points = _points(known)
    gaps = np.linalg.norm(points[:, None] - points[None], axis=2)
    return float(gaps[gaps > 0].min(initial=np.inf)) / 2


def _points(packed: Points) -> npt.NDArray[np.float64]:
    bands = [packed >> 16 & 0xFF, packed >> 8 & 0xFF, packed & 0xFF]
    points: npt.NDArray[np.float64] = np.stack(bands, axis=-1).astype(np.float64)
    return points
