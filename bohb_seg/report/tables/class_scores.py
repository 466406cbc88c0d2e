"""Tables of the scores of every class."""

from collections.abc import Sequence

from bohb_seg.report.analysis.averages import mean, spread
from bohb_seg.report.analysis.comparison import PARTS, Arm
from bohb_seg.report.analysis.precision_recall import MICRO
from bohb_seg.report.analysis.verdict import title
from bohb_seg.report.tables.table import Table, table
from bohb_seg.search.verdict import Difference

SCORES = ("precision", "recall")
MOST_SHOWN = 12
"""Classes up to which the page shows their differences without a request."""


def precision_and_recall(arms: Sequence[Arm]) -> Table:
    """Precision and recall per class and micro: means over seeds, for each part and arm."""
    columns = ["part", "class"]
    columns += [f"{score}, {arm.name}" for score in SCORES for arm in arms]
    rows = [
        (part, label, *(_mean(arm, part, score, label) for score in SCORES for arm in arms))
        for part in PARTS
        for label in _labels(arms, part, "precision", MICRO)
    ]
    title = "Precision and recall (mean over seeds)"
    return table("precision_recall", title, columns, rows)


def class_iou(arms: Sequence[Arm]) -> Table:
    """Intersection over union per class: mean and standard deviation over seeds."""
    columns = ["part", "class"]
    columns += [f"{arm.name} ({kind})" for arm in arms for kind in ("mean", "standard deviation")]
    rows = [
        (part, label, *(cell for arm in arms for cell in _spread(arm, part, "iou", label)))
        for part in PARTS
        for label in _labels(arms, part, "iou")
    ]
    title = "Intersection over union of each class (over seeds)"
    return table("class_iou", title, columns, rows, folded=True)


def class_differences(found: Sequence[Difference], reference: str) -> Table:
    """Incumbent minus the other in the IoU of each class, with the intervals of the verdict."""
    columns = (
        *("quantity", "seeds", "mean difference", "standard deviation of difference"),
        *("95 % interval from", "to", "90 % interval from", "to", "error from images"),
    )
    rows = [
        (
            title(each.quantity),
            len(each.seeds),
            each.mean,
            each.spread,
            *(each.low, each.high, each.inner_low, each.inner_high),
            each.images,
        )
        for each in found
    ]
    heading = f"IoU of each class, incumbent minus {reference}"
    return table("class_differences", heading, columns, rows, folded=len(rows) > MOST_SHOWN)


def _labels(arms: Sequence[Arm], part: str, score: str, *others: str) -> list[str]:
    """Classes that have a score in any arm, and then others; empty without a class."""
    found = {label: None for arm in arms for label in arm.class_scores(part, score)}
    return [*found, *others] if found else []


def _mean(arm: Arm, part: str, score: str, label: str) -> float | None:
    if label == MICRO:
        scores: Sequence[float] = arm.scores(part, f"micro_{score}")
    else:
        scores = arm.class_scores(part, score).get(label, [])
    return mean(scores) if scores else None


def _spread(arm: Arm, part: str, score: str, label: str) -> tuple[float | None, float | None]:
    scores = arm.class_scores(part, score).get(label, [])
    return mean(scores) if scores else None, spread(scores) if len(scores) > 1 else None
