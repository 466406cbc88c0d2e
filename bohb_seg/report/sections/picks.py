"""Section: model-based picks beside random ones."""

from bohb_seg.report.analysis.picks import picks, picks_sentence
from bohb_seg.report.analysis.records import RunRecord
from bohb_seg.report.figures import picks as figures
from bohb_seg.report.sections.reasons import NO_LOSS
from bohb_seg.report.sections.section import Section, listed, picture, stands_alone
from bohb_seg.report.tables import picks as tables

HEADING = "picks", "Model-based against random picks"


@stands_alone(*HEADING)
def section(run: RunRecord) -> Section:
    """The losses of model-based and of random picks."""
    found = [each for each in picks(run) if each.model or each.random]
    if not found:
        return Section(*HEADING, empty=NO_LOSS)
    shown = picture(
        "picks",
        lambda: figures.picks(found),
        "Hollow circles were drawn at random, filled triangles were picked by the optimizer's"
        " model. Where the triangles lie lower, the model has learnt something."
        " Configurations that somebody gave are left out.",
        "Losses of random and model-based picks at every budget.",
    )
    table = listed("picks", lambda: tables.picks(found))
    return Section(*HEADING, (picks_sentence(found),), (shown,), (table,))
