"""Section: how the best loss fell during the search."""

from bohb_seg.report.analysis.records import RunRecord
from bohb_seg.report.figures import incumbent as figures
from bohb_seg.report.sections.reasons import NO_LOSS
from bohb_seg.report.sections.section import Section, listed, picture, stands_alone
from bohb_seg.report.tables import incumbent as tables

HEADING = "incumbent", "The search: best loss over time and epochs"


@stands_alone(*HEADING)
def section(run: RunRecord) -> Section:
    """The best loss over time and over epochs."""
    known = _known_before(run)
    if not run.finished:
        return Section(*HEADING, known, empty=NO_LOSS)
    shown = picture(
        "incumbent",
        lambda: figures.progress(run),
        "Every point is one evaluation, every line the best loss so far at one budget. The thick"
        " line is that of the search's incumbent; where it stays flat, the search found nothing"
        " better.",
        "Best loss so far for every budget, against time and against epochs trained.",
    )
    table = listed("incumbent", lambda: tables.incumbents(run))
    return Section(*HEADING, known, (shown,), (table,))


def _known_before(run: RunRecord) -> tuple[str, ...]:
    return (*_warm_start(run), *_guess(run))


def _guess(run: RunRecord) -> tuple[str, ...]:
    prior = run.started.prior
    if not prior:
        return ()
    return (
        f"The optimizer guessed where to begin from {sum(map(len, prior))} evaluations on other"
        " data; the more of its own it had, the less the guess counted.",
    )


def _warm_start(run: RunRecord) -> tuple[str, ...]:
    """The evaluations that a warm start gave to the optimizer, in at most one sentence."""
    count = len(run.started.earlier)
    if not count:
        return ()
    runs = [str(each) for each in run.started.settings.get("warm_start") or ()]
    return (
        f"Before its first suggestion the optimizer was given {count} evaluations of earlier runs"
        f" ({', '.join(runs) or 'not named'}).",
    )
