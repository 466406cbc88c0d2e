"""Table of the validation patches that are not trivial."""

from collections.abc import Sequence

from bohb_seg.report.analysis.patches import RatedPatch
from bohb_seg.report.tables.table import Row, Table, table


def patches(rated: Sequence[RatedPatch]) -> Table:
    """All validation patches that are not trivial, in increasing accuracy."""
    names = list(rated[0].accuracies) if rated else []
    columns = ("patch", "sum of squares", *(f"accuracy, {name}" for name in names))
    rows: list[Row] = [
        (each.source, each.sum_of_squares, *(each.accuracies[name] for name in names))
        for each in rated
    ]
    return table("patches", "All non-trivial validation patches", columns, rows, folded=True)
