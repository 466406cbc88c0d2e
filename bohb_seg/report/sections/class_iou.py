"""Section: intersection over union of each class."""

from functools import partial

from bohb_seg.report.analysis.classes import left_out, most_frequent
from bohb_seg.report.analysis.comparison import arms, last_part
from bohb_seg.report.analysis.records import RunRecord
from bohb_seg.report.analysis.verdict import judged, of_classes
from bohb_seg.report.figures import class_iou as figures
from bohb_seg.report.figures.verdict import class_differences
from bohb_seg.report.sections.reasons import NOT_RETRAINED
from bohb_seg.report.sections.section import Gap, Picture, Section, listed, picture, stands_alone
from bohb_seg.report.tables import class_scores as tables

HEADING = "iou", "Intersection over union of each class"


@stands_alone(*HEADING)
def section(run: RunRecord) -> Section:
    """The IoU of every class, on the part that says most about new images."""
    found, differences = arms(run), of_classes(judged(run))
    part = last_part(found, "iou")
    names = [each.quantity.label or "" for each in differences]
    if part is None and not differences:
        return Section(*HEADING, empty=NOT_RETRAINED)
    pictures: list[Picture | Gap] = []
    if part is not None:
        scored = [arm for arm in found if arm.class_scores(part, "iou")]
        names = list(scored[0].class_scores(part, "iou"))
        chosen = most_frequent(run, names, figures.MOST_CLASSES)
        pictures.append(
            picture(
                "class_iou",
                lambda: figures.class_iou(scored, part, chosen),
                "Bars are means over the seeds, circles are single seeds.",
                f"Bars of the intersection over union of every class on the {part} part.",
            )
        )
    chosen = most_frequent(run, names, figures.MOST_CLASSES)
    shown = [each for each in differences if each.quantity.label in chosen]
    if shown:
        pictures.append(
            picture(
                "class_differences",
                lambda: class_differences(shown, run.reference),
                f"Each dot is one seed: the incumbent's IoU minus that of the {run.reference}. The"
                " diamond is the mean, the thin line its 95 % interval, the thick line its 90 %"
                " interval. They are those of the verdict, but only that of the mIoU decides: of"
                " many classes one may lie beside 0 by chance.",
                "Mean difference in the intersection over union of every class, with intervals.",
            )
        )
    lists = [listed("class_iou", lambda: tables.class_iou(found))]
    if differences:
        make = partial(tables.class_differences, differences, run.reference)
        lists.append(listed("class_differences", make))
    return Section(*HEADING, left_out(chosen, names), tuple(pictures), tuple(lists))
