"""Section: precision-recall curves."""

from collections.abc import Mapping

from bohb_seg.report.analysis.comparison import arms
from bohb_seg.report.analysis.precision_recall import Curves, arm_curves
from bohb_seg.report.analysis.records import RunRecord
from bohb_seg.report.figures import precision_recall as figures
from bohb_seg.report.sections.reasons import NO_PREDICTIONS
from bohb_seg.report.sections.section import Picture, Section, picture
from bohb_seg.report.tables import precision_recall as tables
from bohb_seg.report.tables.table import Table


def section(run: RunRecord) -> Section:
    """The curves on the validation part and on the test part."""
    anchor, title = "precision-recall", "Precision–recall curves"
    pictures: list[Picture] = []
    lists: list[Table] = []
    for part in ("validation", "test"):
        curves = arm_curves(run, arms(run), part)
        if curves:
            pictures.append(_picture(curves, part))
            lists += [tables.average_precisions(curves, part), tables.curve_points(curves, part)]
    if not pictures:
        return Section(anchor, title, empty=NO_PREDICTIONS)
    sentence = (
        "The curves are those of the seed with the lowest validation loss of each configuration. AP"
        " is the average precision: the area under the curve, 1 at best."
    )
    return Section(anchor, title, (sentence,), tuple(pictures), tuple(lists))


def _picture(curves: Mapping[str, Curves], part: str) -> Picture:
    return picture(
        f"precision_recall_{part}",
        figures.precision_recall(curves, part),
        "The nearer a curve comes to the upper right corner, the better. From left to right a lower"
        " score suffices to name a pixel as the class: more of the class is found (recall), and"
        " fewer of the named pixels are right (precision). The dotted line is guessing.",
        f"Precision-recall curve of every class and of all together on the {part} part.",
    )
