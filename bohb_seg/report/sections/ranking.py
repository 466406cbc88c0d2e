"""Section: rank correlations between budgets."""

from bohb_seg.report.analysis.ranking import advice, rank_correlations
from bohb_seg.report.analysis.records import RunRecord
from bohb_seg.report.figures import ranking as figures
from bohb_seg.report.sections.section import Section, listed, picture, stands_alone
from bohb_seg.report.tables import ranking as tables

HEADING = "ranks", "Do small budgets predict large ones?"


@stands_alone(*HEADING)
def section(run: RunRecord) -> Section:
    """The rank correlations between budgets, and what follows for the next search."""
    found = rank_correlations(run)
    if not found:
        reason = "No trial has losses at two budgets yet, so budgets cannot be compared."
        return Section(*HEADING, empty=reason)
    table = listed("rank_correlation", lambda: tables.rank_correlations(found))
    if all(each.rho is None for each in found):
        return Section(*HEADING, (advice(found),), tables=(table,))
    shown = picture(
        "rank_correlation",
        lambda: figures.rank_correlations(found),
        "Each point is one trial. If the points rise from lower left to upper right (correlation"
        " near 1), the order at the smaller budget is the order at the larger one. Only promoted"
        " trials have both losses, which makes correlations look smaller than they are.",
        "Loss at a smaller budget against loss at a larger one.",
    )
    return Section(*HEADING, (advice(found),), (shown,), (table,))
