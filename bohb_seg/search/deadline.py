"""The size of a run that ends in time: budgets, brackets, runoff and seeds by rule; no clock.

Rules, for what was not given beside ``--hours``:

- The *largest budget* is the largest of 9, 6, 4, 3, 2 and 1 times nine (where ``eta`` is 3; another
  ``eta`` climbs by about as much, from the same smallest budgets) for which a whole programme fits:
  two brackets of each kind, a runoff of three, a comparison with six seeds. One training at it
  must not take more than 7 % of the time. Then budgets of two rungs are tried. If none fits, half a
  programme must: one bracket of each kind, a runoff of two, four seeds; and if even that does not,
  one bracket, no runoff, three seeds. Less is refused.
- The *final epochs* are the largest budget: a winner at 27 epochs is none at 100.
- The *comparison* has as many seeds, up to ten, as it can train in 22 % of the time. It may be
  decided after three; so all further ones together take at most 10 % of the time, or what is left.
- The *search* gets the rest, as many brackets as are finished in it.
"""

import math
import statistics
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from bohb_seg.search.forecast import Pace, RungsOf, SearchForecast, all_done
from bohb_seg.search.hyperband import Ladder
from bohb_seg.search.race import FIRST_SEEDS
from bohb_seg.search.runoff import MOST_PAIRS
from bohb_seg.search.verdict import FIRST_LOOK, seeds_on_folds

Layout = Callable[[Ladder], RungsOf]
"""The rungs that a run's optimizer lays out on a ladder."""

MULTIPLES: Final = (9, 6, 4, 3, 2, 1)
"""Smallest budgets that are tried, largest first; with 81 epochs little is left to be learnt."""
CLIMB: Final = 9.0
"""Largest budget in smallest budgets: three rungs where eta is 3."""
MOST_SEEDS: Final = 10
CANDIDATES: Final = 3
COMPARISON_SHARE: Final = 0.22
FURTHER_SHARE: Final = 0.1
"""Shares of the time: the whole comparison, and its seeds beyond the third."""
LONGEST_SHARE: Final = 0.07
"""Share of the time that one training may take: the last rung, a runoff and a comparison follow one
upon the other, and a winner may be twice as slow as the default."""


@dataclass(frozen=True)
class Given:
    """The wishes beside the time; None where something is chosen.

    Args:
        seeds: Largest number of seeds of the comparison.
        comparison: Whether there are final phases.
        folds: Folds on which the comparison is repeated; 0: it is not.
        continuing: Whether a promoted trial goes on from its checkpoint.
    """

    min_budget: float | None = None
    max_budget: float | None = None
    brackets: int | None = None
    candidates: int | None = None
    seeds: int | None = None
    final_epochs: float | None = None
    eta: float = 3
    comparison: bool = True
    folds: int = 0
    continuing: bool = True


@dataclass(frozen=True)
class FinalsSize:
    """The phases after the search.

    Args:
        budget: Epochs of a retraining in the runoff.
        epochs: Epochs of a retraining in the comparison.
        candidates: Configurations in the runoff at most; fewer than two: there is none.
        seeds: Largest number of seeds of the comparison; 0: there is none, and no runoff.
        folds: Folds on which the comparison is repeated; 0: it is not.
    """

    budget: float
    epochs: float
    candidates: int
    seeds: int
    folds: int = 0

    @property
    def runoff(self) -> int:
        """Trainings of the runoff at most: as many epochs as one arm of the comparison."""
        places = math.floor(self.epochs * min(self.seeds, MOST_PAIRS) / self.budget + 1e-9)
        return places if min(self.candidates, places // FIRST_SEEDS) > 1 else 0

    @property
    def pairs(self) -> int:
        """Pairs of retrainings in comparison and folds at most."""
        if not self.folds:
            return self.seeds
        on_folds = seeds_on_folds(self.seeds, self.folds)
        return min(FIRST_LOOK, self.seeds) + self.folds * on_folds

    def seconds(self, paces: Mapping[str, Pace], factor: float = 1.0) -> float:
        """Seconds that they take after the search.

        Args:
            paces: The workers.
            factor: Seconds of an epoch of the candidates, in those of the default.
        """
        if not self.seeds:
            return 0.0
        pair = [(self.epochs, 1.0), (self.epochs, factor)]
        return self._runoff_seconds(paces, factor) + all_done(paces, pair * self.pairs)

    def _runoff_seconds(self, paces: Mapping[str, Pace], factor: float) -> float:
        """Two seeds of all, then one after the other of the two that may still win."""
        if not self.runoff:
            return 0.0
        first = FIRST_SEEDS * min(self.candidates, self.runoff // FIRST_SEEDS)
        further = (self.runoff - first) // 2
        each = [(self.budget, factor)]
        return all_done(paces, each * first) + further * all_done(paces, each * 2)


@dataclass(frozen=True)
class RunSize:
    """Size of a run.

    Args:
        seeds: Largest number of seeds of the comparison; 0: there is none.
    """

    min_budget: float
    max_budget: float
    brackets: int
    candidates: int
    seeds: int
    final_epochs: float
    folds: int = 0

    @property
    def finals(self) -> FinalsSize:
        """Its phases after the search."""
        return FinalsSize(
            self.max_budget, self.final_epochs, self.candidates, self.seeds, self.folds
        )

    def text(self) -> str:
        """The size in words, e.g. ``6 brackets of 3..27, runoff of 3 x 2, ...``."""
        brackets = "1 bracket" if self.brackets == 1 else f"{self.brackets} brackets"
        words = [f"{brackets} of {self.min_budget:g}..{self.max_budget:g}"]
        if self.finals.runoff:
            candidates = min(self.candidates, self.finals.runoff // FIRST_SEEDS)
            words.append(f"runoff of {candidates} x {FIRST_SEEDS}")
        if self.seeds:
            at = "" if self.final_epochs == self.max_budget else f" at {self.final_epochs:g} epochs"
            seeds = "1 seed" if self.seeds == 1 else f"{self.seeds} seeds"
            words.append(f"comparison with {seeds}{at}")
        if self.seeds and self.folds:
            words.append(f"on {self.folds} folds, too")
        return ", ".join(words)


class NoRoomError(Exception):
    """Not even the smallest run that was asked for ends in time.

    Args:
        least: The smallest run.
        seconds: Seconds that it takes.
    """

    def __init__(self, least: RunSize, seconds: float) -> None:
        self.least, self.seconds = least, seconds
        super().__init__(f"{least.text()}: {seconds:.0f} s")


def rungs_of(size: RunSize, given: Given, layout: Layout) -> RungsOf:
    """The rungs of each bracket of a run."""
    return layout(Ladder(size.min_budget, size.max_budget, given.eta))


@dataclass(frozen=True)
class Planner:
    """Chooses the size of a run by the rules of this module.

    Args:
        paces: The workers, in the order in which they joined; at least one.
        given: What is not to be chosen.
        layout: The rungs on each ladder.
    """

    paces: Mapping[str, Pace]
    given: Given
    layout: Layout

    def forecast(self, size: RunSize) -> float:
        """Seconds that a run of this size takes, without its report."""
        return self._search(size).seconds(size.brackets) + size.finals.seconds(self.paces)

    def choose(self, seconds: float) -> RunSize:
        """The size of a run.

        Args:
            seconds: Time for search and final phases.

        Raises:
            NoRoomError: nothing that was asked for fits.
        """
        smallest = None
        for programme in PROGRAMMES:
            for low, high in _ladders(self.given):
                size = self._sized(programme, low, high)
                if self._is_steady(size, seconds) and self.forecast(size) <= seconds:
                    return self._filled(size, seconds)
                smallest = size
        assert smallest is not None
        raise NoRoomError(smallest, self.forecast(smallest))

    def _is_steady(self, size: RunSize, seconds: float) -> bool:
        """Whether a single training is so short that slow ones, one after the other, have room."""
        if self.given.max_budget is not None or size.max_budget <= self.given.eta:
            return True
        each = statistics.median(pace.seconds(size.max_budget) for pace in self.paces.values())
        return each <= LONGEST_SHARE * seconds

    def _search(self, size: RunSize) -> SearchForecast:
        rungs = rungs_of(size, self.given, self.layout)
        return SearchForecast(self.paces, rungs, self.given.continuing)

    def _sized(self, programme: "_Programme", low: float, high: float) -> RunSize:
        given = self.given
        kinds = len(Ladder(low, high, given.eta).budgets)
        seeds = min(programme.seeds, MOST_SEEDS if given.seeds is None else given.seeds)
        return RunSize(
            min_budget=low,
            max_budget=high,
            brackets=given.brackets or max(1, programme.of_each_kind * kinds),
            candidates=given.candidates or programme.candidates,
            seeds=seeds if given.comparison else 0,
            final_epochs=given.final_epochs or high,
            folds=given.folds if given.comparison else 0,
        )

    def _filled(self, size: RunSize, seconds: float) -> RunSize:
        """The same with as many seeds as it may have, then as many brackets as fit."""
        given, least = self.given, size
        if size.seeds:
            most = MOST_SEEDS if given.seeds is None else given.seeds
            size = replace(size, seeds=most_seeds(size.finals, self.paces, seconds, most))
            if self.forecast(size) > seconds:
                size = least
        if given.brackets is None:
            left = seconds - size.finals.seconds(self.paces)
            size = replace(size, brackets=self._search(size).most(left, size.brackets))
        return size


@dataclass(frozen=True)
class _Programme:
    """The least that must fit: brackets of each kind, candidates, seeds; no kind: one bracket."""

    of_each_kind: int
    candidates: int
    seeds: int


PROGRAMMES: Final = (
    _Programme(2, CANDIDATES, 6),
    _Programme(1, CANDIDATES, 4),
    _Programme(0, 1, FIRST_LOOK),
)


def _ladders(given: Given) -> Iterator[tuple[float, float]]:
    """Smallest and largest budgets that may be chosen, the largest first."""
    low, high, eta = given.min_budget, given.max_budget, given.eta
    steps = max(1, round(math.log(CLIMB) / math.log(eta)))
    if low is not None and high is not None:
        yield low, high
    elif high is not None:
        yield min(high, max(1.0, high / eta**steps)), high
    elif low is not None:
        most = max(low, MULTIPLES[0] * eta**steps)
        for step in range(len(Ladder(low, most, eta).budgets) - 1, -1, -1):
            yield low, low * eta**step
    else:
        yield from ((float(m), m * eta**steps) for m in MULTIPLES)
        if steps > 1:
            yield from ((2.0, 2 * eta), (1.0, eta))


def most_seeds(finals: FinalsSize, paces: Mapping[str, Pace], seconds: float, most: int) -> int:
    """The number of seeds that the comparison may have; not fewer than ``finals`` has.

    Args:
        finals: The final phases.
        paces: The workers.
        seconds: Time for search and final phases.
        most: No more seeds than that.
    """
    alone = replace(finals, candidates=1)
    first = replace(alone, seeds=min(FIRST_LOOK, most)).seconds(paces)
    for seeds in range(most, finals.seeds, -1):
        whole = replace(alone, seeds=seeds).seconds(paces)
        if whole <= COMPARISON_SHARE * seconds and whole - first <= FURTHER_SHARE * seconds:
            return seeds
    return finals.seeds
