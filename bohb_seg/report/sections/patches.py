"""Sections: the best-predicted and the worst-predicted patches."""

from collections.abc import Sequence

from bohb_seg.report.analysis.comparison import arms
from bohb_seg.report.analysis.patches import (
    TRIVIAL_THRESHOLD,
    Patches,
    RatedPatch,
    best,
    load,
    rated,
    worst,
)
from bohb_seg.report.analysis.records import RunRecord
from bohb_seg.report.figures.patches import sheet
from bohb_seg.report.sections.reasons import NO_PREDICTIONS
from bohb_seg.report.sections.section import Gap, Picture, Section, attempt, listed, picture
from bohb_seg.report.tables import patches as tables

BEST = "best-patches", "The best-predicted patches"
WORST = "worst-patches", "The worst-predicted patches"


def sections(run: RunRecord) -> tuple[Section, Section]:
    """Sheets of patches with the predictions of default and incumbent."""
    found = attempt("This section", lambda: _both(run))
    if isinstance(found, Gap):
        return Section(*BEST, pictures=(found,)), Section(*WORST, pictures=(found,))
    return found


def _both(run: RunRecord) -> tuple[Section, Section]:
    patches = _load(run)
    if patches is None:
        return _empty(NO_PREDICTIONS)
    found = rated(patches)
    if not found:
        return _empty("Every validation patch is trivial: most of its pixels are of one class.")
    rule = _rule(len(found), patches)
    same = "These are chosen from the same validation patches, those that are not trivial."
    table = listed("patches", lambda: tables.patches(found))
    return (
        Section(*BEST, (rule,), (_picture("best", patches, best(found)),), (table,)),
        Section(*WORST, (same,), (_picture("worst", patches, worst(found)),)),
    )


def _load(run: RunRecord) -> Patches | None:
    chosen = {arm.name: arm.representative for arm in arms(run)}
    folders = {name: each.artefacts for name, each in chosen.items() if each and each.artefacts}
    return load(run, folders)


def _empty(reason: str) -> tuple[Section, Section]:
    return Section(*BEST, empty=reason), Section(*WORST, empty=reason)


def _rule(kept: int, patches: Patches) -> str:
    judge = list(patches.predictions)[-1]
    return (
        "A patch is trivial if the sum of the squares of its class frequencies exceeds"
        f" {TRIVIAL_THRESHOLD:g}, that is, if two of its pixels, picked at random, are more likely"
        f" of the same class than not. {kept} of the {len(patches.labels)} validation patches are"
        f" not trivial; they are ordered by the accuracy of the {judge}."
    )


def _picture(kind: str, patches: Patches, chosen: Sequence[RatedPatch]) -> Picture | Gap:
    return picture(
        f"{kind}_patches",
        lambda: sheet(patches, chosen),
        f"The {len(chosen)} {kind}-predicted patches; accuracy increases downwards. Compare the map"
        " of each model with the ground truth; the share of right pixels stands below the map.",
        "Rows of image, ground truth and predictions of the models.",
    )
