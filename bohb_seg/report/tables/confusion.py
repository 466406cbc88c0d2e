"""Tables of the confusion matrices."""

from collections.abc import Sequence

from bohb_seg.report.analysis.confusion import Counts
from bohb_seg.report.tables.table import Row, Table, table


def confusion(arm: str, counts: Counts, names: Sequence[str], part: str) -> Table:
    """A confusion matrix in pixels, rows = truth."""
    rows: list[Row] = [
        (name, *(int(count) for count in row)) for name, row in zip(names, counts, strict=True)
    ]
    title = f"Confusion matrix of the {arm}, {part} part (pixels; rows: truth)"
    columns = ("truth", *names)
    return table(f"confusion_{arm}_{part}", title, columns, rows, folded=True)
