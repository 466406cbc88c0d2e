"""Section: intersection over union of each class."""

from bohb_seg.report.analysis.classes import left_out, most_frequent
from bohb_seg.report.analysis.comparison import arms, last_part
from bohb_seg.report.analysis.records import RunRecord
from bohb_seg.report.figures import class_iou as figures
from bohb_seg.report.sections.reasons import NOT_RETRAINED
from bohb_seg.report.sections.section import Section, listed, picture, stands_alone
from bohb_seg.report.tables import class_scores as tables

HEADING = "iou", "Intersection over union of each class"


@stands_alone(*HEADING)
def section(run: RunRecord) -> Section:
    """The IoU of every class, on the part that says most about new images."""
    found = arms(run)
    part = last_part(found, "iou")
    if part is None:
        return Section(*HEADING, empty=NOT_RETRAINED)
    scored = [arm for arm in found if arm.class_scores(part, "iou")]
    names = list(scored[0].class_scores(part, "iou"))
    chosen = most_frequent(run, names, figures.MOST_CLASSES)
    shown = picture(
        "class_iou",
        lambda: figures.class_iou(scored, part, chosen),
        "Bars are means over the seeds, circles are single seeds. If circles of the two"
        " configurations overlap, the difference in that class may be chance.",
        f"Bars of the intersection over union of every class on the {part} part.",
    )
    table = listed("class_iou", lambda: tables.class_iou(found))
    return Section(*HEADING, left_out(chosen, names), (shown,), (table,))
