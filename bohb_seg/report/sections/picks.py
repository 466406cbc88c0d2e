"""Section: model-based picks beside random ones."""

from bohb_seg.report.analysis.picks import picks, picks_sentence
from bohb_seg.report.analysis.records import RunRecord
from bohb_seg.report.figures import picks as figures
from bohb_seg.report.sections.reasons import NO_LOSS
from bohb_seg.report.sections.section import Section, picture
from bohb_seg.report.tables import picks as tables


def section(run: RunRecord) -> Section:
    """The losses of model-based and of random picks."""
    anchor, title = "picks", "Model-based against random picks"
    found = [each for each in picks(run) if each.model or each.random]
    if not found:
        return Section(anchor, title, empty=NO_LOSS)
    shown = picture(
        "picks",
        figures.picks(found),
        "Hollow circles were drawn at random, filled triangles were picked by the optimizer's"
        " model. Where the triangles lie lower, the model has learnt something. The default"
        " configuration is left out.",
        "Losses of random and model-based picks at every budget.",
    )
    return Section(anchor, title, (picks_sentence(found),), (shown,), (tables.picks(found),))
