"""The runoff: the best few of the search are trained again, and race; no IO.

A search takes the lowest of many noisy losses. So its winner is lucky as well as good, and its loss
promises too much (Smith and Winkler, "The Optimizer's Curse", Management Science 52, 2006). Hence
the candidates are trained again with further seeds, which they share, at the budget that ranked
them. ``race`` says who gets more seeds, and who wins. The losses of the search do not count,
because they chose the candidates.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import final

from bohb_seg.search import race
from bohb_seg.search.plan import Plan
from bohb_seg.search.progress import Incumbent
from bohb_seg.search.retrainings import Retrainings
from bohb_seg.search.verdict import Retrained
from bohb_seg.trials import RUNOFF_BRACKET, Suggestion

MOST_PAIRS = 10
"""Pairs of seeds of which a runoff may take the half; more would hardly choose better."""


@final
class Runoff:
    """The candidates of a run.

    A run that grows may have several runoffs. A configuration that was a candidate before is so
    under its old number, and its losses count: they belong to the same seeds. Every other one gets
    a new number.
    """

    def __init__(self) -> None:
        self.retrainings = Retrainings(RUNOFF_BRACKET)
        self._known: dict[int, tuple[Suggestion, float]] = {}  # all candidates, and their budget
        self._best: dict[int, Incumbent] = {}  # those of the present runoff
        self._first = self._most = 0

    def adopt(self, candidate: int, suggestion: Suggestion, budget: float) -> None:
        """Takes over a candidate of a run that is rebuilt, with its number."""
        self._known.setdefault(candidate, (suggestion, budget))

    def begin(self, best: Sequence[Incumbent], plan: Plan) -> bool:
        """Begins a runoff.

        Args:
            best: Distinct configurations of one budget, best of the search first.
            plan: How many may take part, and how large the comparison is.

        Returns:
            Whether at least two candidates have a place; else there is no runoff.
        """
        budget, places = best[0].budget, half(plan, best[0].budget)
        least = race.FIRST_SEEDS if plan.adaptive else 1
        candidates = min(plan.candidates, len(best), places // least)
        if candidates < 2:
            return False
        self._best = {self._number(each): each for each in best[:candidates]}
        if plan.adaptive:
            self._first, self._most = race.FIRST_SEEDS, places
        else:
            self._first, self._most = min(race.FIRST_SEEDS, places // candidates), 0
        self.retrainings.begin(self._best, max(self._most, self._first * candidates), budget)
        return True

    def winner(self) -> Incumbent | None:
        """Adds the trainings that the race needs; returns its winner once it is over."""
        results = {each: self.retrainings.results(each) for each in self._best}
        losses = {
            each: {seed: loss for seed, (loss, _) in its.items()} for each, its in results.items()
        }
        now = race.standing(losses, self._most, self._first)
        if now.winner is not None:
            its = losses[now.winner]
            again = tuple(its[seed] for seed in range(now.seeds))
            return replace(self._best[now.winner], reevaluations=again)
        self.retrainings.arms = now.alive
        for seed in range(now.seeds):
            for each in now.alive:
                self.retrainings.add(each, seed, *self._known[each])
        return None

    @property
    def retrained(self) -> Iterator[Retrained]:
        """Settled retrainings, also of earlier runoffs."""
        for candidate in self._known:
            for seed, (loss, facts) in self.retrainings.results(candidate).items():
                yield Retrained(candidate, seed, loss, facts)

    def _number(self, best: Incumbent) -> int:
        for number, (known, budget) in self._known.items():
            if (known.configuration, budget) == (best.configuration, best.budget):
                return number
        number = max(self._known, default=-1) + 1
        self._known[number] = Suggestion(best.configuration, best.model_based), best.budget
        return number


def half(plan: Plan, budget: float) -> int:
    """Trainings of this budget that take as many epochs as one arm of the comparison at most."""
    if plan.comparison_epochs is None:
        return 0
    pairs = min(plan.comparison_seeds, MOST_PAIRS) if plan.adaptive else plan.comparison_seeds
    return math.floor(plan.comparison_epochs * pairs / budget + 1e-9)
