"""Section: intersection over union of each class."""

from bohb_seg.report.analysis.comparison import arms, last_part
from bohb_seg.report.analysis.records import RunRecord
from bohb_seg.report.figures import class_iou as figures
from bohb_seg.report.sections.reasons import NOT_RETRAINED
from bohb_seg.report.sections.section import Section, picture
from bohb_seg.report.tables import class_scores as tables


def section(run: RunRecord) -> Section:
    """The IoU of every class, on the part that says most about new images."""
    anchor, title = "iou", "Intersection over union of each class"
    found = arms(run)
    part = last_part(found, "iou")
    if part is None:
        return Section(anchor, title, empty=NOT_RETRAINED)
    shown = picture(
        "class_iou",
        figures.class_iou([arm for arm in found if arm.class_scores(part, "iou")], part),
        "Bars are means over the seeds, circles are single seeds. If circles of the two"
        " configurations overlap, the difference in that class may be chance.",
        f"Bars of the intersection over union of every class on the {part} part.",
    )
    return Section(anchor, title, pictures=(shown,), tables=(tables.class_iou(found),))
