"""Scores of predictions, from sums over pixels; plain numpy.

:class:`PixelSums` are sums over the pixels of some patches. They add up, so that a part of any size
is scored batch by batch. Pixels whose label is no class are *ignored*: they count nowhere. A score
that cannot be computed (of a class that does not occur) is None, never NaN.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bohb_seg.trials import SCORE_BINS

Counts = NDArray[np.int64]
Numbers = NDArray[np.float64]

FOCAL_ALPHA, FOCAL_GAMMA = 0.25, 2.0
"""Factor and exponent of the focal loss, in the Milestone 3 reports (docs/origin.md) as in Lin et
al. 2017."""
EPSILON = 1e-7
"""Probabilities are kept this far from 0 and 1, as in the Milestone 3 reports; Keras' epsilon."""


@dataclass(frozen=True)
class PixelSums:
    """Sums over the valid pixels of n patches of C classes.

    Args:
        confusion: (C, C) pixels, rows are the truth.
        hits: (n, C) scores of the true class, summed.
        truth: (n, C) pixels of each class.
        scores: (n, C) scores of each class, summed.
        focal: (n,) sums of ``-alpha (1 - p)^gamma log p`` of the true class.
    """

    confusion: Counts
    hits: Numbers
    truth: Numbers
    scores: Numbers
    focal: Numbers

    @classmethod
    def of(cls, probabilities: NDArray[np.float32], labels: NDArray[np.uint8]) -> "PixelSums":
        """Counts predictions.

        Args:
            probabilities: (n, p, p, C) class scores that sum to 1.
            labels: (n, p, p) classes 0..C-1; anything above is ignored.
        """
        count, classes = len(labels), probabilities.shape[-1]
        valid = labels.reshape(count, -1) < classes
        flat = probabilities.reshape(count, -1, classes)
        patch = np.broadcast_to(np.arange(count)[:, None], valid.shape)[valid]
        target = labels.reshape(count, -1)[valid].astype(np.int64)
        guess = flat.argmax(axis=-1)[valid]
        cell = patch * classes + target
        hit = np.take_along_axis(flat[valid], target[:, None], axis=1)[:, 0].astype(np.float64)
        safe = np.clip(hit, EPSILON, 1 - EPSILON)
        focal = -FOCAL_ALPHA * (1 - safe) ** FOCAL_GAMMA * np.log(safe)
        return cls(
            confusion=np.bincount(target * classes + guess, minlength=classes * classes).reshape(
                classes, classes
            ),
            hits=_per_cell(cell, hit, (count, classes)),
            truth=_per_cell(cell, None, (count, classes)),
            scores=(flat * valid[..., None]).sum(axis=1, dtype=np.float64),
            focal=np.bincount(patch, focal, minlength=count).astype(np.float64),
        )

    @classmethod
    def counted(
        cls,
        confusion: NDArray[np.float32],
        hits: NDArray[np.float32],
        truth: NDArray[np.float32],
        scores: NDArray[np.float32],
        focal: NDArray[np.float32],
    ) -> "PixelSums":
        """Takes the result of ``graph.counts.counts``; ``confusion`` is (n, C, C) there."""
        sums = (part.astype(np.float64) for part in (hits, truth, scores, focal))
        return cls(confusion.astype(np.int64).sum(axis=0), *sums)

    @classmethod
    def join(cls, batches: Iterable["PixelSums"]) -> "PixelSums":
        """The sums of all patches, in order."""
        parts = list(batches)
        return cls(
            confusion=np.sum([part.confusion for part in parts], axis=0),
            hits=np.concatenate([part.hits for part in parts]),
            truth=np.concatenate([part.truth for part in parts]),
            scores=np.concatenate([part.scores for part in parts]),
            focal=np.concatenate([part.focal for part in parts]),
        )

    @property
    def finite(self) -> bool:
        """Whether the predictions were numbers."""
        return bool(np.isfinite(self.focal).all() and np.isfinite(self.scores).all())

    @property
    def mean_focal(self) -> float:
        """Focal loss averaged over classes and pixels, as in the Milestone 3 reports."""
        return float(self.focal.sum() / max(self.truth.sum() * self.truth.shape[1], 1))

    @property
    def accuracy(self) -> float:
        """Share of the pixels whose best score is that of their class."""
        return float(self.confusion.trace() / max(self.confusion.sum(), 1))

    @property
    def iou(self) -> Numbers:
        """Intersection over union of each class (C,); NaN where the labels do not have it."""
        hits = self.confusion.diagonal()
        union = self.confusion.sum(axis=0) + self.confusion.sum(axis=1) - hits
        # A class that only predictions have would pull the mean down by an accident of the split.
        return np.where(self.present, _ratio(hits, union), np.nan)

    @property
    def miou(self) -> float:
        """Mean IoU of the classes present."""
        return _mean(self.iou[self.present])

    @property
    def dice(self) -> Numbers:
        """Dice of each class (C,) from the confusion matrix; NaN where the class never occurs."""
        hits = self.confusion.diagonal()
        return _ratio(2 * hits, self.confusion.sum(axis=0) + self.confusion.sum(axis=1))

    @property
    def mean_dice(self) -> float:
        """Mean Dice of the classes present."""
        return _mean(self.dice[self.present])

    @property
    def present(self) -> NDArray[np.bool_]:
        """Whether the labels have each class, (C,)."""
        return np.asarray(self.confusion.sum(axis=1) > 0)


def summary(sums: PixelSums, names: Sequence[str]) -> dict[str, Any]:
    """The usual scores, plain Python.

    Args:
        sums: Sums over the pixels that are scored.
        names: Names of the C classes.
    """
    confusion = sums.confusion
    hits, truth, guesses = confusion.diagonal(), confusion.sum(axis=1), confusion.sum(axis=0)
    return {
        "miou": sums.miou,
        "iou": _by_class(sums.iou, names),
        "accuracy": sums.accuracy,
        "precision": _by_class(_ratio(hits, guesses), names),
        "recall": _by_class(_ratio(hits, truth), names),
        "dice": sums.mean_dice,
        "focal": plain(sums.mean_focal),
    }


def score_histograms(
    probabilities: NDArray[np.float32], labels: NDArray[np.uint8]
) -> tuple[Counts, Counts]:
    """Histograms of each class's score over [0, 1]; histograms of batches add up.

    Args:
        probabilities: (n, p, p, C).
        labels: (n, p, p) classes 0..C-1; anything above is ignored.

    Returns:
        Histograms of the pixels of the class and of all other pixels, (C, SCORE_BINS) each.
    """
    classes = probabilities.shape[-1]
    valid = labels < classes
    bins = np.minimum((probabilities[valid] * SCORE_BINS).astype(np.int64), SCORE_BINS - 1)
    is_class = labels[valid][:, None] == np.arange(classes)
    cells = (is_class * classes + np.arange(classes)) * SCORE_BINS + bins
    counts = np.bincount(cells.ravel(), minlength=2 * classes * SCORE_BINS)
    negative, positive = counts.reshape(2, classes, SCORE_BINS)
    return positive, negative


def micro_at_half(positive: Counts, negative: Counts) -> dict[str, float | None]:
    """Precision and recall of "score of at least 0.5" over all classes.

    Keras' ``Precision`` and ``Recall`` count so on one-hot labels, and so did the Milestone 3
    reports (docs/origin.md). A pixel without any score of 0.5 lowers recall but not precision.
    """
    half = SCORE_BINS // 2
    hits, misses = int(positive[:, half:].sum()), int(positive[:, :half].sum())
    false_alarms = int(negative[:, half:].sum())
    return {
        "micro_precision": hits / (hits + false_alarms) if hits + false_alarms else None,
        "micro_recall": hits / (hits + misses) if hits + misses else None,
    }


def plain(value: float) -> float | None:
    """A number that JSON has, or None."""
    return float(value) if np.isfinite(value) else None


def _by_class(values: Numbers, names: Sequence[str]) -> Mapping[str, float | None]:
    return {name: plain(value) for name, value in zip(names, values, strict=True)}


def _per_cell(cell: Counts, weights: NDArray[np.float64] | None, shape: tuple[int, int]) -> Numbers:
    """Sums of weights (default: 1) in each cell of a table, whose cells are numbered row by row."""
    sums = np.bincount(cell, weights, minlength=shape[0] * shape[1])
    return sums.reshape(shape).astype(np.float64)


def _ratio(part: NDArray[Any], whole: NDArray[Any]) -> Numbers:
    return np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0)


def _mean(values: Numbers) -> float:
    return float(values.mean()) if len(values) else 0.0
