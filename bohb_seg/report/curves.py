"""Precision-recall curves from score histograms, pooled confusion matrices. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.int64]
Reals = npt.NDArray[np.float64]
MICRO = "all classes (micro)"


@dataclass(frozen=True)
class PrecisionRecall:
    """A precision-recall curve, thresholds falling.

    Args:
        recall: Rising, float (n,), 0..1; precision: float (n,), 0..1.
        average_precision: Sum of precision times gain in recall, 0..1.
        prevalence: Share of positive pixels: the precision of guessing, 0..1.
    """

    recall: Reals
    precision: Reals
    average_precision: float
    prevalence: float


def precision_recall(positive: Counts, negative: Counts) -> PrecisionRecall | None:
    """The curve of one class; None if no pixel is of that class.

    Args:
        positive: Histogram of the class score over [0, 1] for pixels of the class, int (bins,).
        negative: The same for all other pixels.
    """
    hits, false = np.cumsum(positive[::-1]), np.cumsum(negative[::-1])
    total = int(hits[-1])
    if not total:
        return None
    named = hits + false
    kept = named > 0
    precision, recall = hits[kept] / named[kept], hits[kept] / total
    gain = np.diff(recall, prepend=0.0)
    return PrecisionRecall(
        recall,
        precision,
        average_precision=float(np.sum(precision * gain)),
        prevalence=total / int(named[-1]),
    )


def class_curves(
    names: Sequence[str], positive: Counts, negative: Counts
) -> dict[str, PrecisionRecall | None]:
    """One curve per class and, last, the micro average over all (pixel, class) pairs.

    Args:
        names: Of the classes, in the order of the first axis.
        positive: int (classes, bins), as :func:`precision_recall` takes them.
        negative: The same for all other pixels.
    """
    curves = {
        name: precision_recall(positive[index], negative[index]) for index, name in enumerate(names)
    }
    return {**curves, MICRO: precision_recall(positive.sum(axis=0), negative.sum(axis=0))}


def pooled_confusion(matrices: Sequence[Sequence[Sequence[int]]]) -> Counts | None:
    """The sum of confusion matrices, rows = truth; None without one."""
    return np.sum(np.array(matrices, dtype=np.int64), axis=0) if matrices else None


def row_shares(confusion: Counts) -> Reals:
    """Each row divided by its sum: of the true pixels of a class, the share given each name.

    Rows of absent classes are NaN.
    """
    totals = confusion.sum(axis=1, keepdims=True).astype(np.float64)
    totals[totals == 0] = np.nan
    return np.asarray(confusion / totals, dtype=np.float64)
