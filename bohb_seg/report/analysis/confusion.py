"""Confusion matrices, summed over seeds."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.int64]
Reals = npt.NDArray[np.float64]


def pooled_confusion(matrices: Sequence[Sequence[Sequence[int]]]) -> Counts | None:
    """Sum of confusion matrices in pixels, int (classes, classes), rows = truth; None without."""
    return np.sum(np.array(matrices, dtype=np.int64), axis=0) if matrices else None


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
