"""Polygons to pixels: a pixel belongs to a polygon if its centre does.

That is GDAL's rule, too. Edges are crossed row by row and counted, so holes, rings that touch
themselves and either direction of rings come out right. Coordinates are columns and rows, with
(0, 0) at the upper left corner of the first pixel.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from bohb_seg.data.imagery.facts import Valid

Ring = npt.NDArray[np.float64]
"""Corners (corners, 2): column and row."""

Polygon = Sequence[Ring]
"""Outer ring and holes."""


def covered(polygon: Polygon, height: int, width: int) -> tuple[int, int, Valid]:
    """Pixels of an image that a polygon covers.

    Args:
        polygon: Its rings, closed or not.
        height: Rows of the image.
        width: Columns of the image.

    Returns:
        First row and column of the part that the polygon can touch, and which of its pixels lie
        within, (rows, columns).
    """
    starts = np.concatenate([ring for ring in polygon if len(ring)] or [np.zeros((0, 2))])
    if not len(starts) or not np.isfinite(starts).all():
        return 0, 0, np.zeros((0, 0), np.bool_)
    ends = np.concatenate([np.roll(ring, -1, axis=0) for ring in polygon if len(ring)])
    (left, top), (right, bottom) = starts.min(0), starts.max(0)
    row, last_row = _first(top, height), _first(bottom, height)
    column, last_column = _first(left, width), _first(right, width)
    rows, columns = last_row - row, last_column - column
    if rows <= 0 or columns <= 0:
        return row, column, np.zeros((0, 0), np.bool_)
    at_row, at_column = _crossings(starts, ends, row, last_row)
    at_column = np.clip(at_column, column, last_column)
    changes = np.zeros((rows, columns + 1), np.uint8)
    np.bitwise_xor.at(changes, (at_row - row, at_column.astype(np.int64) - column), 1)
    inside = np.bitwise_xor.accumulate(changes, axis=1)[:, :-1]
    return row, column, inside.astype(np.bool_)


def _first(edge: float, most: int) -> int:
    """The first pixel whose centre lies at an edge or behind it, within the image."""
    return int(np.clip(np.ceil(edge - 0.5), 0, most))


def _crossings(
    starts: Ring, ends: Ring, row: int, last_row: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Each row that each edge crosses, with the first column whose centre lies behind the edge."""
    lower = np.where((starts[:, 1] < ends[:, 1])[:, None], starts, ends)
    upper = np.where((starts[:, 1] < ends[:, 1])[:, None], ends, starts)
    first = np.clip(np.ceil(lower[:, 1] - 0.5), row, last_row).astype(np.int64)
    last = np.clip(np.ceil(upper[:, 1] - 0.5), row, last_row).astype(np.int64)
    counts = np.maximum(last - first, 0)
    edge = np.repeat(np.arange(len(counts)), counts)
    begins = np.repeat(np.cumsum(counts) - counts, counts)
    at_row = np.arange(len(edge)) - begins + first[edge]
    (x, y), (far_x, far_y) = lower[edge].T, upper[edge].T
    crossing = x + (at_row + 0.5 - y) * (far_x - x) / (far_y - y)
    return at_row, np.ceil(crossing - 0.5)
