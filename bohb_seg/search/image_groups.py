"""How much of a difference in mIoU hangs on which images test: a jackknife over their groups.

A *group* of images was taken side by side and knows of each other; so not images but groups are
left out, one at a time (Efron and Stein, "The Jackknife Estimate of Variance", Annals of
Statistics 9, 1981). The difference without a group needs no training: confusions add up.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
"""A confusion matrix in pixels, (classes, classes), rows are the truth."""
MOST_CLASSES = 255
"""More rows than a mask can have classes are no confusion matrix."""


def read_matrix(told: Any) -> Matrix | None:
    """A confusion matrix as a worker reported it; None if it is none."""
    if not isinstance(told, Sequence) or not 0 < len(told) <= MOST_CLASSES:
        return None
    try:
        matrix = np.asarray(told, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        return None
    square = matrix.ndim == 2 and matrix.shape[0] == matrix.shape[1]
    return matrix if square and bool(np.isfinite(matrix).all() and (matrix >= 0).all()) else None


def read_groups(told: Any) -> dict[str, Matrix]:
    """Confusions by group, as a worker reported them; empty unless all are of one form."""
    if not isinstance(told, Mapping):
        return {}
    read = {
        str(name): read_matrix(each.get("confusion") if isinstance(each, Mapping) else None)
        for name, each in told.items()
    }
    found = {name: matrix for name, matrix in read.items() if matrix is not None}
    same = len(found) == len(read) and len({each.shape for each in found.values()}) == 1
    return found if same else {}


def class_ious(confusion: Matrix) -> list[float | None]:
    """Intersection over union of each class; None where the truth does not have it."""
    return [None if np.isnan(each) else float(each) for each in _ious(confusion)]


def mean_iou(confusion: Matrix) -> float:
    """Mean intersection over union of the classes that the truth has; 0 without any."""
    return float(_mean(_ious(confusion)))


def jackknife(
    default: Sequence[Mapping[str, Matrix]],
    incumbent: Sequence[Mapping[str, Matrix]],
    label: int | None = None,
) -> tuple[float, int]:
    """Variance of a difference in mIoU, or in a class's IoU, from one set of groups to another.

    Args:
        default: Confusions by group, one table per seed.
        incumbent: The same of the other arm.
        label: Index of the class; None: the mean of all.

    Returns:
        The variance of the difference between the means over the seeds, and the number of groups
        that all tables have; variance 0 with fewer than two.
    """
    before, after = _added(default), _added(incumbent)
    names = sorted(before.keys() & after.keys())
    if (
        len(names) < 2
        or len({table[name].shape for table in (before, after) for name in names}) > 1
    ):
        return 0.0, len(names)
    without = [
        _scores(_all_but_one(np.stack([table[name] for name in names])), label)
        for table in (after, before)
    ]
    differences = without[0] - without[1]
    count = len(names)
    return float((count - 1) * np.var(np.nan_to_num(differences))), count


def _added(tables: Sequence[Mapping[str, Matrix]]) -> dict[str, Matrix]:
    """Sums over the tables, of the groups that all of them have in one form."""
    if not tables:
        return {}
    names: Iterable[str] = set.intersection(*(set(each) for each in tables))
    stacks = {name: [each[name] for each in tables] for name in names}
    return {
        name: np.sum(own, axis=0)
        for name, own in stacks.items()
        if len({each.shape for each in own}) == 1
    }


def _all_but_one(groups: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums of (groups, classes, classes) without each group in turn, of the same shape."""
    return np.asarray(groups.sum(axis=0) - groups)


def _scores(confusions: NDArray[np.float64], label: int | None) -> NDArray[np.float64]:
    ious = _ious(confusions)
    return _mean(ious) if label is None else np.asarray(ious[..., label])


def _ious(confusions: NDArray[np.float64]) -> NDArray[np.float64]:
    """IoU (..., classes) of (..., classes, classes); NaN where the truth does not have a class."""
    hits = np.diagonal(confusions, axis1=-2, axis2=-1)
    truth = confusions.sum(axis=-1)
    union = truth + confusions.sum(axis=-2) - hits
    return np.divide(hits, union, out=np.full(hits.shape, np.nan), where=truth > 0)


def _mean(ious: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over the classes present, 0 without any."""
    present = ~np.isnan(ious)
    return np.asarray(
        np.where(present, ious, 0.0).sum(axis=-1) / np.maximum(present.sum(axis=-1), 1)
    )
