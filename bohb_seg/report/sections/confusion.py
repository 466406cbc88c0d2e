"""Section: confusion matrices."""

from collections.abc import Mapping, Sequence
from functools import partial

from bohb_seg.report.analysis.comparison import Arm, arms, class_names, last_part
from bohb_seg.report.analysis.confusion import Counts, pooled_confusion
from bohb_seg.report.analysis.records import RunRecord
from bohb_seg.report.figures import confusion as figures
from bohb_seg.report.sections.reasons import NOT_RETRAINED
from bohb_seg.report.sections.section import Section, listed, picture, stands_alone
from bohb_seg.report.tables import confusion as tables

HEADING = "confusion", "Confusion matrices"


@stands_alone(*HEADING)
def section(run: RunRecord) -> Section:
    """The confusions of default and incumbent, on the part that says most about new images."""
    found = arms(run)
    part = last_part(found, "iou") or "validation"
    matrices = _matrices(found, part)
    if not matrices:
        return Section(*HEADING, empty=NOT_RETRAINED)
    names = _names(run, len(next(iter(matrices.values()))))
    shown = picture(
        "confusion",
        lambda: figures.confusions(matrices, names, part),
        "Each row takes all pixels that truly are of a class (100 %) and shows what they were named"
        " as, over all seeds. The diagonal is right, everything else is a confusion.",
        f"Confusion matrices of {run.reference} and incumbent on the {part} part.",
    )
    lists = tuple(
        listed(f"confusion_{arm}_{part}", partial(tables.confusion, arm, its, names, part))
        for arm, its in matrices.items()
    )
    return Section(*HEADING, pictures=(shown,), tables=lists)


def _matrices(found: Sequence[Arm], part: str) -> Mapping[str, Counts]:
    matrices = {}
    for arm in found:
        pooled = pooled_confusion([each.on(part).confusion for each in arm.finished])
        if pooled is not None:
            matrices[arm.name] = pooled
    return matrices


def _names(run: RunRecord, count: int) -> Sequence[str]:
    """Names of the classes, or their numbers if the names are not known."""
    names = class_names(run)
    return names if len(names) == count else [str(index) for index in range(count)]
