"""Section: precision and recall in numbers."""

from bohb_seg.report.analysis.comparison import arms
from bohb_seg.report.analysis.records import RunRecord
from bohb_seg.report.sections.reasons import NOT_RETRAINED
from bohb_seg.report.sections.section import Section, stands_alone
from bohb_seg.report.tables import class_scores as tables

HEADING = "values", "Precision and recall"


@stands_alone(*HEADING)
def section(run: RunRecord) -> Section:
    """Precision and recall of every class on every part of the data."""
    table = tables.precision_and_recall(arms(run))
    if not table.rows:
        return Section(*HEADING, empty=NOT_RETRAINED)
    sentence = (
        "Precision is the share of the pixels named as a class that are right; recall is the share"
        " of the pixels of a class that are found. A pixel is named as the class with the highest"
        " score. In the row of all classes it is named as every class with a score of at least one"
        " half. The test part was scored only once, at the end."
    )
    return Section(*HEADING, (sentence,), tables=(table,))
