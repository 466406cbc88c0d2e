"""Section: precision-recall curves."""

from collections.abc import Mapping
from functools import partial

from bohb_seg.report.analysis.classes import left_out, most_frequent
from bohb_seg.report.analysis.comparison import arms, class_names
from bohb_seg.report.analysis.precision_recall import MICRO, Curves, arm_curves
from bohb_seg.report.analysis.records import RunRecord
from bohb_seg.report.figures import precision_recall as figures
from bohb_seg.report.sections.reasons import NO_PREDICTIONS
from bohb_seg.report.sections.section import (
    Gap,
    Picture,
    Section,
    attempt,
    listed,
    picture,
    stands_alone,
)
from bohb_seg.report.tables import precision_recall as tables
from bohb_seg.report.tables.table import Table

HEADING = "precision-recall", "Precision–recall curves"


@stands_alone(*HEADING)
def section(run: RunRecord) -> Section:
    """The curves on the validation part and on the test part."""
    names = class_names(run)
    chosen = most_frequent(run, names, figures.MOST_CLASSES)
    pictures: list[Picture | Gap] = []
    lists: list[Table | Gap] = []
    for part in ("validation", "test"):
        curves: dict[str, Curves] = {}
        for arm in arms(run):
            read = partial(arm_curves, run, (arm,), part)
            found = attempt(f"The curves of the {arm.name} on the {part} part", read)
            pictures += [found] if isinstance(found, Gap) else []
            curves |= {} if isinstance(found, Gap) else found
        if curves:
            pictures.append(_picture(curves, chosen, part))
            lists += _tables(curves, part)
    if not pictures:
        return Section(*HEADING, empty=NO_PREDICTIONS)
    sentence = (
        "The curves are those of the seed with the lowest validation loss of each configuration. AP"
        " is the average precision: the area under the curve, 1 at best."
    )
    sentences = (sentence, *left_out(chosen, names))
    return Section(*HEADING, sentences, tuple(pictures), tuple(lists))


def _picture(curves: Mapping[str, Curves], classes: list[str], part: str) -> Picture | Gap:
    shown = {arm: {name: its[name] for name in (*classes, MICRO)} for arm, its in curves.items()}
    return picture(
        f"precision_recall_{part}",
        lambda: figures.precision_recall(shown, part),
        "The nearer a curve comes to the upper right corner, the better. From left to right a lower"
        " score suffices to name a pixel as the class: more of the class is found (recall), and"
        " fewer of the named pixels are right (precision). The dotted line is guessing.",
        f"Precision-recall curve of every class and of all together on the {part} part.",
    )


def _tables(curves: Mapping[str, Curves], part: str) -> tuple[Table | Gap, ...]:
    return (
        listed(f"average_precision_{part}", lambda: tables.average_precisions(curves, part)),
        listed(f"precision_recall_curves_{part}", lambda: tables.curve_points(curves, part)),
    )
