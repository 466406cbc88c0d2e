"""Table of model-based and random picks."""

from collections.abc import Sequence

from bohb_seg.report.analysis.averages import median
from bohb_seg.report.analysis.picks import Picks
from bohb_seg.report.tables.table import Table, table


def picks(found: Sequence[Picks]) -> Table:
    """Best and median losses of model-based and random picks."""
    columns = ("budget (epochs)", "picked by", "evaluations", "best loss", "median loss")
    rows = [
        (each.budget, picker, len(losses), min(losses), median(losses))
        for each in found
        for picker, losses in (("random", each.random), ("model", each.model))
        if losses
    ]
    return table("picks", "Model-based and random picks", columns, rows)
