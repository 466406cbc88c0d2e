"""The final comparison in tables. Pure."""

from collections.abc import Mapping, Sequence
from statistics import fmean, stdev

from bohb_seg.report.comparison import PARTS, Arm
from bohb_seg.report.curves import MICRO, Counts, PrecisionRecall
from bohb_seg.report.history import Attempt
from bohb_seg.report.patches import Choice
from bohb_seg.report.tables import Cell, Table, table
from bohb_seg.report.verdict import PairedDifference
from bohb_seg.trials import Configuration

Row = tuple[Cell, ...]
CURVE_POINTS = 100
"""Points per precision-recall curve in the CSV file, evenly spaced in its thresholds."""


def configurations(tuned: Configuration | None, default: Configuration) -> Table:
    """The tuned configuration beside the default; the tuned column is empty without one."""
    names = list({**default, **(tuned or {})})
    rows = [(name, default.get(name), None if tuned is None else tuned.get(name)) for name in names]
    columns = ("hyperparameter", "default", "tuned")
    return table("configuration", "Configurations", columns, rows)


def seeds(arms: Sequence[Arm]) -> Table:
    """Every retraining with its scores on every part."""
    columns = (
        *("configuration", "seed", "part", "loss", "mIoU", "pixel accuracy", "mean Dice"),
        *("outcome", "ended early", "best epoch"),
    )
    rows = [
        (arm.name, each.seed, part, *_scores(each.parts.get(part, {})), *_end(each.attempt))
        for arm in arms
        for each in arm.retrainings
        for part in PARTS
        if part in each.parts
    ]
    return table("comparison_seeds", "Every retraining", columns, rows, folded=True)


def differences(found: Sequence[PairedDifference]) -> Table:
    """Paired differences with their spread and interval."""
    columns = (
        *("quantity", "seeds", "mean of default", "mean of tuned", "mean difference"),
        *("standard deviation of difference", "95 % interval from", "to", "tuned is"),
    )
    rows = [
        (
            each.quantity.title,
            len(each.seeds),
            fmean(each.default),
            fmean(each.tuned),
            each.mean,
            each.spread,
            each.low,
            each.high,
            each.judgement,
        )
        for each in found
    ]
    return table("paired_differences", "Tuned minus default, seed by seed", columns, rows)


def precision_recall(arms: Sequence[Arm]) -> Table:
    """Precision and recall per class and micro: mean over seeds, for each part and arm."""
    names = [arm.name for arm in arms]
    columns = ["part", "class"]
    columns += [f"{what}, {name}" for what in ("precision", "recall") for name in names]
    rows = [
        (part, label, *(_mean(arm, part, what, label) for what in WHAT for arm in arms))
        for part in PARTS
        for label in _labels(arms, part, "precision")
    ]
    title = "Precision and recall (mean over seeds)"
    return table("precision_recall", title, columns, rows)


WHAT = ("precision", "recall")


def class_scores(arms: Sequence[Arm], name: str = "iou") -> Table:
    """A score per class, mean and standard deviation over seeds, for each part and arm."""
    columns = ["part", "class"]
    columns += [f"{arm.name} ({what})" for arm in arms for what in ("mean", "standard deviation")]
    rows = [
        (part, label, *(cell for arm in arms for cell in _spread(arm, part, name, label)))
        for part in PARTS
        for label in _labels(arms, part, name)
        if label != MICRO
    ]
    title = "Intersection over union of each class (over seeds)"
    return table("class_iou", title, columns, rows, folded=True)


def confusion(arm: str, counts: Counts, names: Sequence[str], part: str) -> Table:
    """A confusion matrix in pixels, rows = truth."""
    rows: list[Row] = [
        (name, *(int(count) for count in row)) for name, row in zip(names, counts, strict=True)
    ]
    title = f"Confusion of the {arm} configuration, {part} part (pixels; rows: truth)"
    columns = ("truth", *names)
    return table(f"confusion_{arm}_{part}", title, columns, rows, folded=True)


def average_precisions(
    curves: Mapping[str, Mapping[str, PrecisionRecall | None]], part: str
) -> Table:
    """Average precision by class, a column per arm."""
    names = list(next(iter(curves.values()), {}))
    rows = [(part, name, *(_average(its[name]) for its in curves.values())) for name in names]
    title = f"Average precision, {part} part"
    return table(f"average_precision_{part}", title, ("part", "class", *curves), rows, folded=True)


def curve_points(curves: Mapping[str, Mapping[str, PrecisionRecall | None]], part: str) -> Table:
    """The curves themselves, thinned, in long form."""
    rows = [
        (arm, name, float(curve.recall[index]), float(curve.precision[index]))
        for arm, its in curves.items()
        for name, curve in its.items()
        if curve is not None
        for index in range(0, len(curve.recall), max(1, len(curve.recall) // CURVE_POINTS))
    ]
    columns = ("configuration", "class", "recall", "precision")
    title = f"Precision-recall curves, {part} part"
    return table(f"precision_recall_curves_{part}", title, columns, rows, folded=True)


def patches(chosen: Sequence[Choice]) -> Table:
    """All non-trivial validation patches in increasing accuracy."""
    names = list(chosen[0].accuracies) if chosen else []
    columns = ("patch", "sum of squares", *(f"accuracy, {name}" for name in names))
    rows: list[Row] = [
        (each.source, each.sum_of_squares, *(each.accuracies[name] for name in names))
        for each in chosen
    ]
    return table("patches", "All non-trivial validation patches", columns, rows, folded=True)


def _scores(part: Mapping[str, float | None]) -> tuple[Cell, ...]:
    return tuple(part.get(name) for name in ("loss", "miou", "accuracy", "dice"))


def _end(attempt: Attempt) -> tuple[Cell, ...]:
    return attempt.fate, attempt.stopped, attempt.best_epoch


def _labels(arms: Sequence[Arm], part: str, name: str) -> list[str]:
    """The classes that have a score anywhere, and the micro average."""
    found = {label: None for arm in arms for label in arm.class_scores(part, name)}
    return [*found, MICRO] if found else []


def _mean(arm: Arm, part: str, what: str, label: str) -> float | None:
    if label == MICRO:
        scores: Sequence[float] = arm.scores(part, f"micro_{what}")
    else:
        scores = arm.class_scores(part, what).get(label, [])
    return fmean(scores) if scores else None


def _spread(arm: Arm, part: str, name: str, label: str) -> tuple[float | None, float | None]:
    scores = arm.class_scores(part, name).get(label, [])
    return fmean(scores) if scores else None, stdev(scores) if len(scores) > 1 else None


def _average(curve: PrecisionRecall | None) -> float | None:
    return None if curve is None else curve.average_precision
