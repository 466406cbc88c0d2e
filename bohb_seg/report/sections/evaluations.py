"""Section: all evaluations of the search."""

from bohb_seg.report.analysis.records import RunRecord
from bohb_seg.report.sections.section import Section
from bohb_seg.report.tables import evaluations as tables


def section(run: RunRecord) -> Section:
    """A table of all evaluations."""
    anchor, title = "evaluations", "All evaluations"
    if not run.evaluations:
        return Section(anchor, title, empty="No evaluation has been started yet.")
    return Section(anchor, title, tables=(tables.evaluations(run),))
