"""Table of the influence of single hyperparameters."""

from collections.abc import Sequence

from bohb_seg.report.analysis.hyperparameters import Influence
from bohb_seg.report.tables.table import Table, table


def influences(found: Sequence[Influence]) -> Table:
    """Share of the spread of loss ranks that goes with each hyperparameter."""
    columns = ("hyperparameter", "budget (epochs)", "trials", "share", "probability by chance")
    rows = [(e.name, e.budget, len(e.losses), e.share, e.chance) for e in found]
    return table("hyperparameters", "Hyperparameters one at a time", columns, rows)
