"""Section: rungs and promotions."""

from bohb_seg.report.analysis import rungs as analysis
from bohb_seg.report.analysis.records import RunRecord
from bohb_seg.report.figures import rungs as figures
from bohb_seg.report.sections.reasons import NO_LOSS
from bohb_seg.report.sections.section import Section, picture
from bohb_seg.report.tables import rungs as tables


def section(run: RunRecord) -> Section:
    """The way of the trials through the rungs of every bracket."""
    anchor, title = "rungs", "Rungs and promotions"
    if not run.finished:
        return Section(anchor, title, empty=NO_LOSS)
    shown = picture(
        "rungs",
        figures.rungs(run),
        "In every bracket many trials start at a small budget, on the left. Those with the lowest"
        " loss go on, along the lines, to the next larger budget; hollow circles stopped there.",
        "Loss of every trial at every budget it reached, one panel per bracket.",
    )
    table = tables.rungs(analysis.rungs(run))
    return Section(anchor, title, _left_out(run), (shown,), (table,))


def _left_out(run: RunRecord) -> tuple[str, ...]:
    if len({each.id.trial.bracket for each in run.evaluations}) <= figures.MOST_BRACKETS:
        return ()
    return (f"The picture shows the last {figures.MOST_BRACKETS} brackets.",)
