"""Table of the rank correlations between budgets."""

from collections.abc import Sequence

from bohb_seg.report.analysis.ranking import RankCorrelation
from bohb_seg.report.tables.table import Table, table


def rank_correlations(found: Sequence[RankCorrelation]) -> Table:
    """Spearman's rank correlation of each pair of budgets."""
    columns = ("smaller budget (epochs)", "larger budget (epochs)", "trials", "rank correlation")
    rows = [(each.small, each.large, len(each.pairs), each.rho) for each in found]
    return table("rank_correlation", "Rank correlation between budgets", columns, rows)
