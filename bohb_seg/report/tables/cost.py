"""Table of the cost."""

from collections.abc import Sequence

from bohb_seg.report.analysis.cost import Cost
from bohb_seg.report.tables.table import Table, table


def costs(found: Sequence[Cost]) -> Table:
    """Cost of search and final phase."""
    columns = (
        *("part", "evaluations", "attempts", "epochs trained", "worker hours"),
        *("of these without result (h)", "wall time (h)"),
    )
    rows = [
        (e.phase, e.evaluations, e.attempts, e.epochs, e.hours, e.wasted_hours, e.wall_hours)
        for e in found
    ]
    return table("cost", "Cost", columns, rows)
