"""Section: rungs and promotions."""

from bohb_seg.report.analysis import rungs as analysis
from bohb_seg.report.analysis.records import RunRecord
from bohb_seg.report.figures import rungs as figures
from bohb_seg.report.sections.reasons import NO_LOSS
from bohb_seg.report.sections.section import Section, listed, picture, stands_alone
from bohb_seg.report.tables import rungs as tables

HEADING = "rungs", "Rungs and promotions"


@stands_alone(*HEADING)
def section(run: RunRecord) -> Section:
    """The way of the trials through the rungs of every bracket."""
    if not run.finished:
        return Section(*HEADING, empty=NO_LOSS)
    shown = picture(
        "rungs",
        lambda: figures.rungs(run),
        "In every bracket many trials start at a small budget, on the left. Those with the lowest"
        " loss go on, along the lines, to the next larger budget; hollow circles stopped there.",
        "Loss of every trial at every budget it reached, one panel per bracket.",
    )
    table = listed("rungs", lambda: tables.rungs(analysis.rungs(run)))
    return Section(*HEADING, _left_out(run), (shown,), (table,))


def _left_out(run: RunRecord) -> tuple[str, ...]:
    if len({each.id.trial.bracket for each in run.evaluations}) <= figures.MOST_BRACKETS:
        return ()
    return (f"The picture shows the last {figures.MOST_BRACKETS} brackets.",)
