"""Tables of the verdict: paired differences and every retraining."""

from collections.abc import Sequence
from statistics import fmean

from bohb_seg.report.analysis.comparison import PARTS, Arm, PartScores
from bohb_seg.report.analysis.records import AttemptRecord
from bohb_seg.report.analysis.verdict import delta_of, title
from bohb_seg.report.tables.table import Row, Table, table
from bohb_seg.search.verdict import Difference, Verdict


def paired_differences(verdict: Verdict, found: Sequence[Difference], reference: str) -> Table:
    """Differences with their spread and intervals; the first one decides."""
    columns = (
        *("quantity", "seeds", f"mean of {reference}", "mean of incumbent", "mean difference"),
        *("standard deviation of difference", "95 % interval from", "to"),
        *("90 % interval from", "to", "error from images", "incumbent is"),
    )
    rows = [
        (
            title(each.quantity),
            len(each.seeds),
            fmean(each.default),
            fmean(each.incumbent),
            each.mean,
            each.spread,
            *(each.low, each.high, each.inner_low, each.inner_high),
            each.images,
            each.answer(delta_of(verdict, each.quantity)),
        )
        for each in found
    ]
    heading = f"Incumbent minus {reference}, seed by seed; the first row decides"
    return table("paired_differences", heading, columns, rows)


def retrainings(arms: Sequence[Arm]) -> Table:
    """Every retraining with its scores on every part of the data."""
    columns = (
        *("configuration", "seed", "part", "loss", "mIoU", "pixel accuracy", "mean Dice"),
        *("outcome", "ended early", "best epoch", "averaged weights"),
    )
    rows = [
        (arm.name, each.seed, part, *_scores(each.on(part)), *_end(each.attempt))
        for arm in arms
        for each in arm.retrainings
        for part in PARTS
        if part in each.parts
    ]
    return table("comparison_seeds", "Every retraining", columns, rows, folded=True)


def _scores(scores: PartScores) -> Row:
    return tuple(scores.numbers.get(name) for name in ("loss", "miou", "accuracy", "dice"))


def _end(attempt: AttemptRecord) -> Row:
    info = attempt.info
    return attempt.fate, attempt.stopped, info.best_epoch, info.averaged
