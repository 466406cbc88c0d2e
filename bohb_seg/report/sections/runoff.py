"""Section: the runoff."""

from bohb_seg.report.analysis.records import RunRecord
from bohb_seg.report.analysis.runoff import candidates, sentences
from bohb_seg.report.figures import runoff as figures
from bohb_seg.report.sections.section import Section, listed, picture, stands_alone
from bohb_seg.report.tables import runoff as tables

HEADING = "runoff", "The runoff: how much of the search was luck?"


def sections(run: RunRecord) -> tuple[Section, ...]:
    """One section if there was a runoff, else none."""
    return (_section(run),) if run.runoff else ()


@stands_alone(*HEADING)
def _section(run: RunRecord) -> Section:
    """The candidates of the runoff."""
    found = candidates(run)
    shown = picture(
        "runoff",
        lambda: figures.runoff(found),
        "The hollow circle on the left is the loss of a candidate in the search; on the right are"
        " its losses with further seeds and their mean. The steeper a line rises, the more of the"
        " loss in the search was luck.",
        "Loss in the search and losses with further seeds of every candidate.",
    )
    table = listed("runoff", lambda: tables.runoff(found, run))
    return Section(*HEADING, sentences(found), (shown,), (table,))
