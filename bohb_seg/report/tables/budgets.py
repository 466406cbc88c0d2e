"""Table of the losses by budget."""

from collections.abc import Sequence

from bohb_seg.report.analysis.budgets import BudgetSummary
from bohb_seg.report.tables.table import Table, table


def losses_by_budget(found: Sequence[BudgetSummary]) -> Table:
    """Losses by budget, a row per loss."""
    rows = [(each.budget, loss) for each in found for loss in sorted(each.losses)]
    columns = ("budget (epochs)", "loss")
    return table("losses_by_budget", "Losses by budget", columns, rows, folded=True)
