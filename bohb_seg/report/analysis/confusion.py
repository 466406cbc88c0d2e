"""Confusion matrices, summed over seeds."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from bohb_seg.report.analysis.comparison import Matrix

Counts = npt.NDArray[np.int64]
Reals = npt.NDArray[np.float64]


def pooled_confusion(matrices: Iterable[Matrix | None]) -> Counts | None:
    """Sum of confusion matrices in pixels; None among them is left out.

    Returns:
        int (classes, classes), rows = truth; None if there are none, or of different sizes.
    """
    known = [matrix for matrix in matrices if matrix]
    if len({len(matrix) for matrix in known}) != 1:
        return None
    return np.asarray(np.sum(known, axis=0), dtype=np.int64)


def row_shares(confusion: Counts) -> Reals:
    """Shares of the true pixels of each class that were named as each class, 0..1.

    Args:
        confusion: Pixels, int (classes, classes), rows = truth.

    Returns:
        float (classes, classes); rows sum to 1, rows of absent classes are NaN.
    """
    totals = confusion.sum(axis=1, keepdims=True).astype(np.float64)
    totals[totals == 0] = np.nan
    return np.asarray(confusion / totals, dtype=np.float64)
