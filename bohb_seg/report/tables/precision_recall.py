"""Tables of the precision-recall curves."""

from collections.abc import Mapping

from bohb_seg.report.analysis.precision_recall import Curves, PrecisionRecall
from bohb_seg.report.tables.table import Table, table

CURVE_POINTS = 100
"""Points per curve in the CSV file, evenly spaced in its thresholds."""


def average_precisions(curves: Mapping[str, Curves], part: str) -> Table:
    """Average precision by class, a column per arm."""
    names = list(next(iter(curves.values()), {}))
    rows = [
        (part, name, *(_average(by_class[name]) for by_class in curves.values())) for name in names
    ]
    title = f"Average precision, {part} part"
    return table(f"average_precision_{part}", title, ("part", "class", *curves), rows, folded=True)


def curve_points(curves: Mapping[str, Curves], part: str) -> Table:
    """Points of the curves, thinned, a row per point."""
    rows = [
        (arm, name, float(curve.recall[index]), float(curve.precision[index]))
        for arm, by_class in curves.items()
        for name, curve in by_class.items()
        if curve is not None
        for index in range(0, len(curve.recall), max(1, len(curve.recall) // CURVE_POINTS))
    ]
    columns = ("configuration", "class", "recall", "precision")
    title = f"Precision-recall curves, {part} part"
    return table(f"precision_recall_curves_{part}", title, columns, rows, folded=True)


def _average(curve: PrecisionRecall | None) -> float | None:
    return None if curve is None else curve.average_precision
