"""Precision-recall curves from histograms of class scores."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bohb_seg.report.analysis import arrays
from bohb_seg.report.analysis.comparison import Arm, class_names
from bohb_seg.report.analysis.records import RunRecord
from bohb_seg.trials import PREDICTIONS_FILE, SCORE_BINS

Counts = npt.NDArray[np.int64]
Reals = npt.NDArray[np.float64]
MICRO = "all classes (micro)"
"""Name of the average over all (pixel, class) pairs, beside the names of the classes."""


@dataclass(frozen=True)
class PrecisionRecall:
    """A precision-recall curve in order of falling thresholds.

    Args:
        recall: Rising, float (n,), 0..1.
        precision: float (n,), 0..1.
        average_precision: Sum of precision times gain in recall, 0..1.
        prevalence: Share of positive pixels, which is the precision of guessing, 0..1.
    """

    recall: Reals
    precision: Reals
    average_precision: float
    prevalence: float


Curves = Mapping[str, PrecisionRecall | None]
"""Curves by class, ``MICRO`` last; None for classes without a pixel."""


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
    reached = named > 0
    precision, recall = hits[reached] / named[reached], hits[reached] / total
    gain = np.diff(recall, prepend=0.0)
    return PrecisionRecall(
        recall,
        precision,
        average_precision=float(np.sum(precision * gain)),
        prevalence=total / int(named[-1]),
    )


def class_curves(names: Sequence[str], positive: Counts, negative: Counts) -> Curves:
    """One curve per class and, last, the micro average over all (pixel, class) pairs.

    Args:
        names: Names of the classes, in the order of the first axis.
        positive: Histograms as in :func:`precision_recall`, int (classes, bins).
        negative: The same for all other pixels.
    """
    curves = {
        name: precision_recall(positive[index], negative[index]) for index, name in enumerate(names)
    }
    return {**curves, MICRO: precision_recall(positive.sum(axis=0), negative.sum(axis=0))}


def arm_curves(run: RunRecord, arms: Sequence[Arm], part: str) -> dict[str, Curves]:
    """Curves of the representative retraining of each arm, by name of the arm.

    Arms whose histograms are not in the run directory are left out.
    """
    found, names = {}, class_names(run)
    for arm in arms:
        best = arm.representative
        folder = best.artefacts if best else None
        counts = load_histograms(folder, part, len(names)) if folder and names else None
        if counts:
            found[arm.name] = class_curves(names, *counts)
    return found


def load_histograms(folder: Path, part: str, classes: int) -> tuple[Counts, Counts] | None:
    """Reads the score histograms of a part of the data.

    Returns:
        Positive and negative, int64 (classes, bins), as :func:`class_curves` takes them; None if
        they are missing.

    Raises:
        DamagedArrayError: the file is damaged, or holds arrays of another form.
    """
    file = folder / PREDICTIONS_FILE
    if not file.is_file() or f"{part}_positive" not in arrays.names(file):
        return None
    form = arrays.Form("int64", (classes, SCORE_BINS))
    return arrays.read(file, f"{part}_positive", form), arrays.read(file, f"{part}_negative", form)
