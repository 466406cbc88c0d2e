"""The verdict: whether the incumbent is better than the default, by paired differences.

The verdict rests on one number that was fixed beforehand: the run's objective on the test part,
which nobody looked at before. The two arms share their seeds, so differences are taken seed by
seed; the paired 95 % t-interval of their mean must exclude 0.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Literal

from scipy.stats import t as student

from bohb_seg.report.analysis.comparison import Arm
from bohb_seg.report.analysis.configuration import same_configuration
from bohb_seg.report.analysis.incumbent import incumbent
from bohb_seg.report.analysis.records import RunRecord
from bohb_seg.report.wording import bounded, decimals

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Quantity:
    """A number by which the arms are compared, on one part of the data."""

    part: str
    name: str
    lower_is_better: bool

    @property
    def title(self) -> str:
        """Name for tables and sentences."""
        return f"{self.part} {'mIoU' if self.name == 'miou' else self.name}"


QUANTITIES = (
    Quantity("test", "loss", lower_is_better=True),
    Quantity("test", "miou", lower_is_better=False),
    Quantity("validation", "loss", lower_is_better=True),
    Quantity("validation", "miou", lower_is_better=False),
)
"""In order of their weight: the first one that both arms have decides the verdict."""

Judgement = Literal["better", "worse", "not distinguishable", "undecided"]


@dataclass(frozen=True)
class PairedDifference:
    """Incumbent minus default, seed by seed.

    Args:
        reference: Name of the arm that is no incumbent: default or baseline.
        seeds: Indices of the seeds that both arms have.
        default: Numbers of that arm, in order of the seeds.
        incumbent: Numbers of the incumbent, in order of the seeds.
        mean: Mean of the differences.
        spread: Standard deviation of the differences; None with one seed.
        low: Lower end of the paired t-interval at ``CONFIDENCE``; None with one seed.
        high: Its upper end; None with one seed.
    """

    quantity: Quantity
    reference: str
    seeds: tuple[int, ...]
    default: tuple[float, ...]
    incumbent: tuple[float, ...]
    mean: float
    spread: float | None
    low: float | None
    high: float | None

    @property
    def judgement(self) -> Judgement:
        """The incumbent beside the default, by the interval; one seed cannot decide."""
        if self.low is None or self.high is None:
            return "undecided"
        if self.low <= 0 <= self.high:
            return "not distinguishable"
        return "better" if (self.high < 0) == self.quantity.lower_is_better else "worse"


def paired_differences(arms: Sequence[Arm]) -> tuple[PairedDifference, ...]:
    """Differences in every quantity that both arms have for at least one common seed."""
    if len(arms) < 2:
        return ()
    found = [_paired(each, *arms) for each in QUANTITIES]
    return tuple(each for each in found if each is not None)


@dataclass(frozen=True)
class Verdict:
    """The answer in one sentence, the numbers behind it, and the rule that was followed."""

    judgement: Judgement
    sentence: str
    details: tuple[str, ...]
    rule: str


RULE = (
    "How this is decided: both configurations are retrained with the same seeds and the same data."
    " For each seed the other one's loss is subtracted from the incumbent's. If the 95 % t-interval"
    " of the mean difference excludes 0, the incumbent is called better or worse, else not"
    " distinguishable. The loss is the run's objective on the test part, which the search never"
    " saw, or on the validation part if there is no test part. One seed alone decides nothing."
)


def verdict(run: RunRecord, arms: Sequence[Arm]) -> Verdict:
    """The verdict of a run, also of one whose comparison is missing or has just begun."""
    missing = _missing(run, arms)
    differences = paired_differences(arms)
    if missing or not differences:
        sentence = missing or "No seed has a result for both configurations yet."
        return Verdict("undecided", sentence, _failed_seeds(arms), RULE)
    first, *others = differences
    beside = [_numbers(each) for each in others if each.quantity.part == first.quantity.part]
    details = (*beside, *_caveats(first, arms))
    return Verdict(first.judgement, _sentence(first), details, RULE)


def _paired(quantity: Quantity, default: Arm, incumbent: Arm) -> PairedDifference | None:
    before, after = _by_seed(default, quantity), _by_seed(incumbent, quantity)
    seeds = tuple(seed for seed in before if seed in after)
    if not seeds:
        return None
    olds, news = tuple(before[seed] for seed in seeds), tuple(after[seed] for seed in seeds)
    differences = [new - old for old, new in zip(olds, news, strict=True)]
    mean, spread, half = fmean(differences), *_spread(differences)
    low, high = (None, None) if half is None else (mean - half, mean + half)
    return PairedDifference(quantity, default.name, seeds, olds, news, mean, spread, low, high)


def _by_seed(arm: Arm, quantity: Quantity) -> Mapping[int, float]:
    numbers = {each.seed: each.on(quantity.part).numbers for each in arm.finished}
    return {
        seed: bounded(own[quantity.name]) for seed, own in numbers.items() if quantity.name in own
    }


def _spread(differences: Sequence[float]) -> tuple[float | None, float | None]:
    """Standard deviation of differences, and half the width of the t-interval of their mean."""
    n = len(differences)
    if n < 2:
        return None, None
    spread = stdev(differences)
    return spread, float(student.ppf((1 + CONFIDENCE) / 2, n - 1)) * spread / math.sqrt(n)


def _missing(run: RunRecord, arms: Sequence[Arm]) -> str | None:
    """Reason why there is nothing to compare; None if both arms are there."""
    names = {arm.name for arm in arms}
    if names == {run.reference, "incumbent"}:
        return None
    if _default_leads(run) and "incumbent" not in names and (arms or run.finish):
        if run.runoff:
            winner = f"The {run.reference} configuration"
            return f"{winner} won the runoff: nothing better than it was found."
        return f"The search found nothing better than the {run.reference} configuration."
    if run.finish is None:
        return "There is no verdict yet: the run is still going on, or was interrupted."
    return f"There is no verdict: the run ended without a comparison ({run.finish})."


def _default_leads(run: RunRecord) -> bool:
    best = incumbent(run)
    default = run.started.default
    return best is not None and same_configuration(best.attempt.configuration, default)


def _sentence(first: PairedDifference) -> str:
    change = _change(first)
    if first.spread is None:
        return f"One seed cannot decide: with it, the incumbent's {change}."
    measured = (
        f"{change} ± {decimals(first.spread)} (paired difference over {len(first.seeds)} seeds"
    )
    measured += ", mean ± standard deviation)"
    if first.judgement == "not distinguishable":
        return (
            f"The incumbent is not distinguishable from the {first.reference}: its {measured},"
            " which chance can explain."
        )
    return f"The incumbent is {first.judgement} than the {first.reference}: its {measured}."


def _numbers(each: PairedDifference) -> str:
    text = (
        f"The {each.quantity.title} is {decimals(fmean(each.default))} with the {each.reference}"
        f" and {decimals(fmean(each.incumbent))} with the incumbent"
    )
    if each.low is None or each.high is None:
        return f"{text} (one seed)."
    interval = f"95 % interval of the difference {_signed(each.low)} to {_signed(each.high)}"
    return f"{text}; {interval}: {each.judgement}."


def _change(each: PairedDifference) -> str:
    direction = "lower" if each.mean < 0 else "higher"
    return f"{each.quantity.title} is {direction} by {decimals(abs(each.mean))}"


def _signed(value: float) -> str:
    return f"{'' if value < 0 else '+'}{decimals(value)}"


def _caveats(first: PairedDifference, arms: Sequence[Arm]) -> tuple[str, ...]:
    caveats = list(_failed_seeds(arms))
    if first.quantity.part != "test":
        caveats.append(
            "There is no test part: the search chose by the validation part, which flatters the"
            " incumbent."
        )
    return tuple(caveats)


def _failed_seeds(arms: Sequence[Arm]) -> tuple[str, ...]:
    sentences = []
    for arm in arms:
        fates = [each.attempt.fate for each in arm.retrainings if each.attempt.loss is None]
        if fates:
            sentences.append(
                f"{len(fates)} of {len(arm.retrainings)} retrainings of the {arm.name} have no loss"
                f" ({', '.join(sorted(set(fates)))}) and are left out."
            )
    return tuple(sentences)
