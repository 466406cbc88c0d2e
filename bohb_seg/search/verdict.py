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

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.special import ndtr

from bohb_seg.search.differences import FEWEST_GROUPS, Answer, Difference, classes, difference
from bohb_seg.search.intervals import FIRST_LOOK
from bohb_seg.search.pairs import FOLDS, PARTS, Quantity, Retrained, Scored, scored
from bohb_seg.search.plan import Plan

__all__ = [
    "FEWEST_GROUPS",
    "FIRST_LOOK",
    "FOLDS",
    "Difference",
    "Quantity",
    "Retrained",
    "Terms",
    "Verdict",
    "is_decided",
    "judge",
    "seeds_on_folds",
]

PROBABLY = 2 / 3
"""Chance from which on so many seeds would probably decide."""
MOST_MORE = 200
"""More seeds than these are not worth advising."""
TINY = 1e-300
"""Keeps a spread of 0 from dividing."""


def seeds_on_folds(seeds: int, folds: int) -> int:
    """Largest number of seeds on folds: no more trainings than so many seeds without them.

    There are never fewer than a first look needs.
    """
    return max(FIRST_LOOK, seeds // folds)


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

    @property
    def planned(self) -> int:
        """Pairs from whose number the levels of the looks follow."""
        return self.planned_seeds or self.most_seeds

    @classmethod
    def of(cls, plan: Plan, begun: Plan | None = None) -> Self:
        """Terms of a run.

        Args:
            plan: The plan as it is now.
            begun: The plan when the comparison began; None: the same. Each fold of a pair takes as
                long as a retraining, so there are fewer pairs with folds.
        """
        most, planned = (
            seeds_on_folds(each.comparison_seeds, plan.folds)
            if plan.folds
            else each.comparison_seeds
            for each in (plan, begun or plan)
        )
        return cls(plan.delta, most, plan.folds, planned)


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
    first = _first(comparison, found, runoff, terms)
    deciding = _deciding(comparison, terms)
    others = [Quantity(part, name) for part in PARTS for name in ("miou", "loss")]
    others += [each for part in PARTS for each in classes(found, part)]
    beside = dict.fromkeys(deciding + others)
    if first:
        del beside[first.quantity]
    differences = [difference(each, found, runoff, terms.planned) for each in beside]
    settled = _settled(comparison, terms)
    answer, delta = _answer(first, terms)
    return Verdict(
        answer=answer,
        difference=first,
        others=tuple(each for each in differences if each is not None),
        delta=delta,
        more_seeds=_more_seeds(first, delta) if first and answer == "undecided" else None,
        is_final=answer != "undecided" or len(settled) >= terms.most_seeds,
        left_out=tuple(sorted(settled - {*(first.seeds if first else ())})),
    )


def is_decided(comparison: Sequence[Retrained], runoff: Sequence[Retrained], terms: Terms) -> bool:
    """Whether :func:`judge` would decide; only the deciding difference is computed for that."""
    found = scored(comparison, terms.folds)
    answer, _ = _answer(_first(comparison, found, runoff, terms), terms)
    return answer != "undecided"


def _deciding(comparison: Sequence[Retrained], terms: Terms) -> list[Quantity]:
    """The quantities that may decide, by their weight."""
    in_folds = any(each.fold is not None for each in comparison) or terms.folds > 0
    parts = (FOLDS,) if in_folds else PARTS[1:]
    return [Quantity(part, name) for part in parts for name in ("miou", "loss")]


def _first(
    comparison: Sequence[Retrained],
    found: Sequence[Scored],
    runoff: Sequence[Retrained],
    terms: Terms,
) -> Difference | None:
    """The difference that decides; None before both arms have a seed in common."""
    differences = (
        difference(e, found, runoff, terms.planned) for e in _deciding(comparison, terms)
    )
    return next((each for each in differences if each is not None), None)


def _answer(first: Difference | None, terms: Terms) -> tuple[Answer, float | None]:
    """The answer, and the delta that counts; None where the loss decides."""
    delta = terms.delta if first and first.quantity.name == "miou" else None
    return first.answer(delta or 0.0) if first else "undecided", delta


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
