"""Table of the rungs."""

from collections.abc import Sequence

from bohb_seg.report.analysis.rungs import RungSummary
from bohb_seg.report.tables.table import Table, table

MOST_ROWS = 12
"""With more rows the table is folded."""


def rungs(found: Sequence[RungSummary]) -> Table:
    """Rungs with the numbers of their evaluations and promotions."""
    columns = (
        *("bracket", "budget (epochs)", "evaluated", "failed", "promoted"),
        *("best loss", "median loss"),
    )
    rows = [
        (e.bracket, e.budget, e.evaluated, e.failed, e.promoted, e.best, e.median) for e in found
    ]
    return table("rungs", "Rungs and promotions", columns, rows, folded=len(found) > MOST_ROWS)
