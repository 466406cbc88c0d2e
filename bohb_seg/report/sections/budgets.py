"""Section: losses by budget."""

from bohb_seg.report.analysis.budgets import by_budget
from bohb_seg.report.analysis.records import RunRecord
from bohb_seg.report.figures import budgets as figures
from bohb_seg.report.sections.reasons import NO_LOSS
from bohb_seg.report.sections.section import Section, listed, picture, stands_alone
from bohb_seg.report.tables import budgets as tables

HEADING = "budgets", "Losses by budget"


@stands_alone(*HEADING)
def section(run: RunRecord) -> Section:
    """The losses at every budget."""
    if not run.finished:
        return Section(*HEADING, empty=NO_LOSS)
    found = by_budget(run)
    shown = picture(
        "losses_by_budget",
        lambda: figures.losses_by_budget(found),
        "Points are evaluations. A box holds the middle half of them, and its thick line is their"
        " median. The median falls from left to right because training goes on and because only the"
        " better trials get there.",
        "Points and boxes of the losses at every budget.",
    )
    table = listed("losses_by_budget", lambda: tables.losses_by_budget(found))
    return Section(*HEADING, pictures=(shown,), tables=(table,))
