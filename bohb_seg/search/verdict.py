"""The verdict: whether the incumbent is better than the default; pure.

Rules:

- One number decides: mIoU where workers report it, else the loss; on all folds if there are folds,
  else on the test part, else on the validation part.
- From the third pair of seeds on, the interval of the mean difference is looked at after each pair
  (``intervals``). Its width follows from the spread over seeds and, with five groups of test
  images or more, also from that over images (``image_groups``).
- The 95 % interval lies on one side of 0: *better* or *worse*. Else, the 90 % interval lies within
  delta of 0: *equivalent* (two one-sided tests at 5 %; Schuirmann, J. Pharmacokinet. Biopharm. 15,
  1987). Else *undecided*, with the number of further seeds that would probably decide.
- The scheduler trains a further pair until the verdict is final; the report tells it. Both call
  :func:`judge`.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Self

import numpy as np
from scipy.special import ndtr

from bohb_seg.search import intervals
from bohb_seg.search.image_groups import jackknife
from bohb_seg.search.intervals import FIRST_LOOK, Precision, Spread
from bohb_seg.search.pairs import FOLDS, PARTS, Quantity, Retrained, Scored, paired, scored
from bohb_seg.search.plan import Plan
from bohb_seg.trials import DEFAULT_ARM, INCUMBENT_ARM

__all__ = [
    "FIRST_LOOK",
    "FOLDS",
    "Difference",
    "Quantity",
    "Retrained",
    "Terms",
    "Verdict",
    "judge",
]

FEWEST_GROUPS = 5
"""Groups of test images from which on their share of the spread can be estimated."""
PROBABLY = 2 / 3
"""Chance from which on so many seeds would probably decide."""
MOST_MORE = 200
"""More seeds than these are not worth advising."""
TINY = 1e-300
"""Keeps a spread of 0 from dividing."""

Answer = Literal["better", "worse", "equivalent", "undecided"]


@dataclass(frozen=True)
class Terms:
    """Agreement made before the first retraining.

    Args:
        delta: Difference in mIoU within which two recipes count as equivalent, 0 or more.
        most_seeds: Pairs of seeds after which the comparison ends undecided.
        folds: Folds of each retraining; 0: none, or as many as are found.
        planned_seeds: ``most_seeds`` when the run began, from which the levels of the looks follow;
            so the error stays what it is when seeds are added. None: the same as now.
    """

    delta: float
    most_seeds: int
    folds: int = 0
    planned_seeds: int | None = None

    @classmethod
    def of(cls, plan: Plan, begun: Plan | None = None) -> Self:
        """Terms of a run.

        Args:
            plan: The plan as it is now.
            begun: The plan when the comparison began; None: the same. Each fold of a pair takes as
                long as a retraining, so there are fewer pairs with folds.
        """
        most, planned = (
            max(FIRST_LOOK, each.comparison_seeds // plan.folds)
            if plan.folds
            else each.comparison_seeds
            for each in (plan, begun or plan)
        )
        return cls(plan.delta, most, plan.folds, planned)


@dataclass(frozen=True)
class Difference:
    """Incumbent minus default in one quantity, seed by seed.

    Args:
        seeds: Indices of the seeds that both arms have.
        default: Numbers of the default, in order of the seeds.
        incumbent: Numbers of the incumbent, in order of the seeds.
        mean: Mean of the differences.
        spread: Standard deviation of the difference, moderated; None with one seed.
        low: Lower end of the 95 % interval of the mean; None before the first look.
        high: Its upper end.
        inner_low: Lower end of the 90 % interval.
        inner_high: Its upper end.
        groups: Groups of images in this part that were told apart; 0 if unknown.
        images: Standard error that the choice of images adds; None if it cannot be estimated.
        precision: Width of the interval after further pairs; None with one seed.
    """

    quantity: Quantity
    seeds: tuple[int, ...]
    default: tuple[float, ...]
    incumbent: tuple[float, ...]
    mean: float
    spread: float | None = None
    low: float | None = None
    high: float | None = None
    inner_low: float | None = None
    inner_high: float | None = None
    groups: int = 0
    images: float | None = None
    precision: Precision | None = None

    def answer(self, delta: float = 0.0) -> Answer:
        """The incumbent beside the default, by the interval.

        Args:
            delta: Largest difference that counts as equivalent.
        """
        if self.low is None or self.high is None:
            return "undecided"
        assert self.inner_low is not None
        assert self.inner_high is not None
        if self.low > 0 or self.high < 0:
            return "better" if (self.high < 0) == self.quantity.lower_is_better else "worse"
        is_within = -delta <= self.inner_low and self.inner_high <= delta
        return "equivalent" if is_within else "undecided"


@dataclass(frozen=True)
class Verdict:
    """The answer and what it rests on.

    Args:
        difference: The difference that decides; None before both arms have a seed in common.
        others: Differences in all other quantities, which decide nothing.
        delta: Difference that counts as equivalent; None where the loss decides.
        more_seeds: Further pairs of seeds that would probably decide; None if the verdict is
            decided, or if no reasonable number would.
        is_final: Whether no further pair is needed: it is decided, or all planned pairs are used.
        left_out: Seeds of which an arm diverged, failed or told no number.
    """

    answer: Answer
    difference: Difference | None
    others: tuple[Difference, ...]
    delta: float | None
    more_seeds: int | None
    is_final: bool
    left_out: tuple[int, ...] = ()

    @property
    def quantity(self) -> str | None:
        """Name of the number that decides: ``miou`` or ``loss``."""
        return self.difference.quantity.name if self.difference else None

    @property
    def part(self) -> str | None:
        """Part of the data on which it is taken."""
        return self.difference.quantity.part if self.difference else None

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seeds that count."""
        return self.difference.seeds if self.difference else ()

    @property
    def mean(self) -> float | None:
        """Mean difference, incumbent minus default."""
        return self.difference.mean if self.difference else None

    @property
    def low(self) -> float | None:
        """Lower end of its interval."""
        return self.difference.low if self.difference else None

    @property
    def high(self) -> float | None:
        """Upper end of its interval."""
        return self.difference.high if self.difference else None

    @property
    def spread(self) -> float | None:
        """Standard deviation of the difference between the arms with one seed."""
        return self.difference.spread if self.difference else None


def judge(comparison: Sequence[Retrained], runoff: Sequence[Retrained], terms: Terms) -> Verdict:
    """The verdict on the retrainings that are settled so far.

    Args:
        comparison: Retrainings of both arms, also those that diverged or failed, in any order.
        runoff: Those of the runoff.
        terms: What was agreed beforehand.
    """
    found = scored(comparison, terms.folds)
    in_folds = any(each.fold is not None for each in comparison) or terms.folds > 0
    parts = (FOLDS,) if in_folds else PARTS[1:]
    deciding = [Quantity(part, name) for part in parts for name in ("miou", "loss")]
    others = [Quantity(part, name) for part in PARTS for name in ("miou", "loss")]
    others += [each for part in PARTS for each in _classes(found, part)]
    planned = terms.planned_seeds or terms.most_seeds
    known = {
        each: _difference(each, found, runoff, planned) for each in dict.fromkeys(deciding + others)
    }
    differences = {each: own for each, own in known.items() if own is not None}
    first = next((differences.pop(each) for each in deciding if each in differences), None)
    settled = _settled(comparison, terms)
    delta = terms.delta if first and first.quantity.name == "miou" else None
    answer = first.answer(delta or 0.0) if first else "undecided"
    return Verdict(
        answer=answer,
        difference=first,
        others=tuple(differences.values()),
        delta=delta,
        more_seeds=_more_seeds(first, delta) if first and answer == "undecided" else None,
        is_final=answer != "undecided" or len(settled) >= terms.most_seeds,
        left_out=tuple(sorted(settled - {*(first.seeds if first else ())})),
    )


def _difference(
    quantity: Quantity, found: Sequence[Scored], runoff: Sequence[Retrained], planned: int
) -> Difference | None:
    """The difference in a quantity; None without a seed that both arms have."""
    pairs = paired(found, quantity)
    if not pairs:
        return None
    default, incumbent = (tuple(numbers) for numbers in zip(*pairs.values(), strict=True))
    differences = np.subtract(incumbent, default)
    images, groups = _images(quantity, found, tuple(pairs))
    known = Difference(
        quantity,
        tuple(pairs),
        default,
        incumbent,
        mean=float(differences.mean()),
        groups=groups,
        images=math.sqrt(images) if groups >= FEWEST_GROUPS else None,
    )
    if len(pairs) < 2:
        return known
    spread = intervals.moderated(default, incumbent, _of_runoff(quantity, runoff))
    images = (known.images or 0.0) ** 2
    precision = Precision(spread, len(pairs), planned, images, groups)
    known = replace(known, spread=math.sqrt(spread.variance), precision=precision)
    return _with_intervals(known, precision) if len(pairs) >= FIRST_LOOK else known


def _with_intervals(known: Difference, precision: Precision) -> Difference:
    pairs, mean = np.asarray(float(len(known.seeds))), known.mean
    half, inner = (float(precision.half_widths(pairs, sides)) for sides in (2, 1))
    return replace(
        known,
        low=mean - half,
        high=mean + half,
        inner_low=mean - inner,
        inner_high=mean + inner,
    )


def _images(quantity: Quantity, found: Sequence[Scored], seeds: Sequence[int]) -> tuple[float, int]:
    """Variance that the choice of images adds, and the number of groups that were told apart."""
    if quantity.name == "loss":
        return 0.0, 0
    default, incumbent = (
        [
            each.groups(quantity.part)
            for each in found
            if each.arm == arm and each.seed in seeds and quantity.part in each.parts
        ]
        for arm in (DEFAULT_ARM, INCUMBENT_ARM)
    )
    names = [each.label for each in _classes(found, quantity.part)]
    label = names.index(quantity.label) if quantity.label is not None else None
    return jackknife(default, incumbent, label)


def _classes(found: Sequence[Scored], part: str) -> list[Quantity]:
    """IoU of each class of a part, in the order of the classes."""
    tables = (each.parts.get(part, {}).get("iou") for each in found)
    names = next((each for each in tables if isinstance(each, Mapping) and each), {})
    return [Quantity(part, "iou", str(name)) for name in names]


def _of_runoff(quantity: Quantity, runoff: Sequence[Retrained]) -> Spread | None:
    """Spread of the same number on the validation part, between candidates of the runoff."""
    told = replace(quantity, part="validation")
    found = {(each.arm, each.seed): each.number(told) for each in scored(runoff)}
    ranks, seeds = (sorted({key[place] for key in found}) for place in (0, 1))
    table = [[found.get((rank, seed)) for seed in seeds] for rank in ranks]
    return intervals.runoff_spread(np.array(table, dtype=np.float64))


def _settled(comparison: Sequence[Retrained], terms: Terms) -> set[int]:
    """Seeds of which every retraining of both arms has ended, in whatever way."""
    folds = terms.folds or max((each.fold or 0 for each in comparison), default=0) + 1
    ended = Counter((each.arm, each.seed) for each in comparison)
    arms = {each.arm for each in comparison}
    seeds = {each.seed for each in comparison}
    return {seed for seed in seeds if all(ended[arm, seed] >= folds for arm in arms)}


def _more_seeds(first: Difference, delta: float | None) -> int | None:
    """Fewest further pairs that would probably decide; None if no number worth advising would.

    The mean of more pairs scatters about the present one as far as the spread lets it.
    """
    now, precision = len(first.seeds), first.precision
    if precision is None:
        return FIRST_LOOK - now
    later = np.arange(max(now + 1, FIRST_LOOK), now + MOST_MORE + 1, dtype=np.float64)
    half, inner = (precision.half_widths(later, sides) for sides in (2, 1))
    scatter = np.sqrt(precision.spread.variance * (later - now) / (later * now)) + TINY
    chance = ndtr((-half - first.mean) / scatter) + ndtr((first.mean - half) / scatter)
    if delta is not None:
        room = np.minimum(np.maximum(delta - inner, 0), half)
        chance += ndtr((room - first.mean) / scatter) - ndtr((-room - first.mean) / scatter)
    enough = np.flatnonzero(chance >= PROBABLY)
    return int(later[enough[0]]) - now if len(enough) else None
