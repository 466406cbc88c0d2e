"""Section: the runoff."""

from bohb_seg.report.analysis.records import RunRecord
from bohb_seg.report.analysis.runoff import candidates, sentences
from bohb_seg.report.figures import runoff as figures
from bohb_seg.report.sections.section import Section, picture
from bohb_seg.report.tables import runoff as tables


def sections(run: RunRecord) -> tuple[Section, ...]:
    """One section if there was a runoff, else none."""
    found = candidates(run)
    if not found:
        return ()
    shown = picture(
        "runoff",
        figures.runoff(found),
        "The hollow circle on the left is the loss of a candidate in the search; on the right are"
        " its losses with further seeds and their mean. The steeper a line rises, the more of the"
        " loss in the search was luck.",
        "Loss in the search and losses with further seeds of every candidate.",
    )
    table = tables.runoff(found, run.started.default)
    title = "The runoff: how much of the search was luck?"
    return (Section("runoff", title, sentences(found), (shown,), (table,)),)
