"""Section: losses by budget."""

from bohb_seg.report.analysis.budgets import by_budget
from bohb_seg.report.analysis.records import RunRecord
from bohb_seg.report.figures import budgets as figures
from bohb_seg.report.sections.reasons import NO_LOSS
from bohb_seg.report.sections.section import Section, picture
from bohb_seg.report.tables import budgets as tables


def section(run: RunRecord) -> Section:
    """The losses at every budget."""
    anchor, title = "budgets", "Losses by budget"
    if not run.finished:
        return Section(anchor, title, empty=NO_LOSS)
    found = by_budget(run)
    shown = picture(
        "losses_by_budget",
        figures.losses_by_budget(found),
        "Points are evaluations. A box holds the middle half of them, and its thick line is their"
        " median. The median falls from left to right because training goes on and because only the"
        " better trials get there.",
        "Points and boxes of the losses at every budget.",
    )
    return Section(anchor, title, pictures=(shown,), tables=(tables.losses_by_budget(found),))
