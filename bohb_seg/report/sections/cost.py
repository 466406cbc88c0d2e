"""Section: the cost of the run."""

from bohb_seg.report.analysis.cost import costs
from bohb_seg.report.analysis.records import RunRecord
from bohb_seg.report.sections.section import Section, listed, stands_alone
from bohb_seg.report.tables import cost as tables

HEADING = "cost", "Cost"


@stands_alone(*HEADING)
def section(run: RunRecord) -> Section:
    """Epochs and hours of search, runoff and comparison."""
    found = costs(run)
    sentence = (
        "Epochs are those really trained: a promoted trial goes on from its checkpoint and pays"
        " only the difference. If a worker does not report its epochs, the whole budget is counted."
    )
    if any(each.phase == "runoff" for each in found):
        sentence += " Runoff and comparison are the final phase."
    table = listed("cost", lambda: tables.costs(found))
    return Section(*HEADING, (sentence,), tables=(table,))
