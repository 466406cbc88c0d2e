"""Section: all evaluations of the search."""

from bohb_seg.report.analysis.records import RunRecord
from bohb_seg.report.sections.section import Section, listed, stands_alone
from bohb_seg.report.tables import evaluations as tables

HEADING = "evaluations", "All evaluations"


@stands_alone(*HEADING)
def section(run: RunRecord) -> Section:
    """A table of all evaluations."""
    if not run.evaluations:
        return Section(*HEADING, empty="No evaluation has been started yet.")
    table = listed("evaluations", lambda: tables.evaluations(run))
    return Section(*HEADING, tables=(table,))
