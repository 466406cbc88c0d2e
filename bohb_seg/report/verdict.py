"""Is the tuned configuration better than the default? Paired differences and a sentence. Pure.

The verdict rests on one number that was fixed beforehand: the run's objective on the test part,
which nobody looked at before. Seeds are shared by the two arms, so differences are taken seed by
seed; the paired 95 % t-interval of their mean must exclude 0.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Literal

from scipy.stats import t as student

from bohb_seg.report.comparison import Arm
from bohb_seg.report.history import Run
from bohb_seg.report.search import incumbent, same

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Quantity:
    """What is compared: a number of a part of the data."""

    part: str
    name: str
    lower_is_better: bool

    @property
    def title(self) -> str:
        """For tables and sentences."""
        return f"{self.part} {'mIoU' if self.name == 'miou' else self.name}"


QUANTITIES = (
    Quantity("test", "loss", lower_is_better=True),
    Quantity("test", "miou", lower_is_better=False),
    Quantity("validation", "loss", lower_is_better=True),
    Quantity("validation", "miou", lower_is_better=False),
)
"""In order of their weight: the first that both arms have decides the verdict."""

Judgement = Literal["better", "worse", "not distinguishable", "undecided"]


@dataclass(frozen=True)
class PairedDifference:
    """Tuned minus default, seed by seed.

    Args:
        seeds: Indices of the seeds that both arms have.
        spread: Standard deviation of the differences; None with one seed.
        low: Lower end of the paired t-interval at ``CONFIDENCE``, high: its upper end.
    """

    quantity: Quantity
    seeds: tuple[int, ...]
    default: tuple[float, ...]
    tuned: tuple[float, ...]
    mean: float
    spread: float | None
    low: float | None
    high: float | None

    @property
    def judgement(self) -> Judgement:
        """What the interval says of the tuned arm; one seed cannot decide."""
        if self.low is None or self.high is None:
            return "undecided"
        if self.low <= 0 <= self.high:
            return "not distinguishable"
        return "better" if (self.high < 0) == self.quantity.lower_is_better else "worse"


def paired_differences(found: Sequence[Arm]) -> tuple[PairedDifference, ...]:
    """Every quantity that both arms have for at least one common seed."""
    by_name = {arm.name: arm for arm in found}
    if len(by_name) < 2:
        return ()
    all_ = [_paired(quantity, by_name["default"], by_name["tuned"]) for quantity in QUANTITIES]
    return tuple(each for each in all_ if each is not None)


@dataclass(frozen=True)
class Verdict:
    """The answer in one sentence, the numbers behind it, and how it was reached."""

    judgement: Judgement
    sentence: str
    details: tuple[str, ...]
    rule: str


RULE = (
    "How this is decided: both configurations are retrained with the same seeds and the same data."
    " For each seed the default's loss is subtracted from the tuned one's; if the 95 % t-interval"
    " of the mean difference excludes 0, the tuned configuration is called better or worse, else"
    " not distinguishable. The loss is the run's objective on the test part, which the search never"
    " saw (on the validation part if there is no test part). One seed alone decides nothing."
)


def verdict(run: Run, found: Sequence[Arm]) -> Verdict:
    """The verdict of a run, also of one whose comparison is missing or has just begun."""
    missing = _missing(run, found)
    differences = paired_differences(found)
    if missing or not differences:
        sentence = missing or "No seed has a result for both configurations yet."
        return Verdict("undecided", sentence, _failed_seeds(found), RULE)
    first, *others = differences
    beside = [_numbers(each) for each in others if each.quantity.part == first.quantity.part]
    details = (*beside, *_caveats(first, found))
    return Verdict(first.judgement, _sentence(first), details, RULE)


def _paired(quantity: Quantity, default: Arm, tuned: Arm) -> PairedDifference | None:
    ours = {each.seed: each.score(quantity.part, quantity.name) for each in tuned.finished}
    pairs = [
        (each.seed, score, other)
        for each in default.finished
        if (score := each.score(quantity.part, quantity.name)) is not None
        and (other := ours.get(each.seed)) is not None
    ]
    if not pairs:
        return None
    seeds, before, after = zip(*pairs, strict=True)
    differences = [new - old for old, new in zip(before, after, strict=True)]
    mean, spread, half = fmean(differences), *_spread(differences)
    low, high = (None, None) if half is None else (mean - half, mean + half)
    return PairedDifference(quantity, seeds, before, after, mean, spread, low, high)


def _spread(differences: Sequence[float]) -> tuple[float | None, float | None]:
    """Standard deviation and half the width of the t-interval of the mean."""
    n = len(differences)
    if n < 2:
        return None, None
    spread = stdev(differences)
    return spread, float(student.ppf((1 + CONFIDENCE) / 2, n - 1)) * spread / math.sqrt(n)


def _missing(run: Run, found: Sequence[Arm]) -> str | None:
    best = incumbent(run)
    names = {arm.name for arm in found}
    nothing_better = best is not None and same(best.attempt.configuration, run.started.default)
    if nothing_better and "tuned" not in names and (found or run.finish):
        if run.runoff:
            return "The default configuration won the runoff: nothing better than it was found."
        return "The search found nothing better than the default configuration."
    if names == {"default", "tuned"}:
        return None
    if run.finish is None:
        return "There is no verdict yet: the run is still going on, or was interrupted."
    return f"There is no verdict: the run ended without a comparison ({run.finish})."


def _sentence(its: PairedDifference) -> str:
    change = _change(its)
    if its.spread is None:
        return f"One seed cannot decide: with it, the tuned configuration's {change}."
    measured = f"{change} ± {its.spread:.4f} (paired difference over {len(its.seeds)} seeds"
    measured += ", mean ± standard deviation)"
    if its.judgement == "not distinguishable":
        return (
            "The tuned configuration is not distinguishable from the default: its"
            f" {measured}, which chance can explain."
        )
    return f"The tuned configuration is {its.judgement} than the default: its {measured}."


def _numbers(its: PairedDifference) -> str:
    text = (
        f"The {its.quantity.title} is {fmean(its.default):.4f} with the default and"
        f" {fmean(its.tuned):.4f} with the tuned configuration"
    )
    if its.low is None or its.high is None:
        return f"{text} (one seed)."
    interval = f"95 % interval of the difference {its.low:+.4f} to {its.high:+.4f}"
    return f"{text}; {interval}: {its.judgement}."


def _change(its: PairedDifference) -> str:
    direction = "lower" if its.mean < 0 else "higher"
    return f"{its.quantity.title} is {direction} by {abs(its.mean):.4f}"


def _caveats(first: PairedDifference, found: Sequence[Arm]) -> tuple[str, ...]:
    caveats = list(_failed_seeds(found))
    if first.quantity.part != "test":
        caveats.append(
            "There is no test part: the search chose by the validation part, which flatters the"
            " tuned configuration."
        )
    return tuple(caveats)


def _failed_seeds(found: Sequence[Arm]) -> tuple[str, ...]:
    sentences = []
    for arm in found:
        fates = [each.attempt.fate for each in arm.retrainings if each.attempt.loss is None]
        if fates:
            sentences.append(
                f"{len(fates)} of {len(arm.retrainings)} retrainings of the {arm.name}"
                f" configuration have no loss ({', '.join(sorted(set(fates)))}) and are left out."
            )
    return tuple(sentences)
