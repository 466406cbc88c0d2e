"""How long a search and its final phases will take on the workers there are; no IO, no clock.

The search is played through by the scheduler's rule: a free worker takes the next place of the
oldest bracket, and a rung is decided when all its places are settled. So unlike workers, workers
that wait for a rung, and the one worker that trains the last rung alone, are all in the forecast.
"""

import heapq
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from bohb_seg.search.hyperband import Rung

RungsOf = Callable[[int], tuple[Rung, ...]]
"""The rungs of a bracket, by its running number."""

MOST_PLAYED: Final = 40
"""Brackets that are played through; those beyond take as long as workers that are never idle."""


@dataclass(frozen=True)
class Pace:
    """How fast a worker trains the default configuration.

    Args:
        epoch: Seconds of an epoch, > 0.
        fixed: Seconds that an evaluation takes besides: compiling, scoring, files, the wire.
    """

    epoch: float
    fixed: float = 0.0

    def seconds(self, epochs: float, factor: float = 1.0) -> float:
        """Seconds of an evaluation.

        Args:
            epochs: Epochs that it trains.
            factor: Seconds of an epoch of its configuration, in those of the default.
        """
        return self.fixed + epochs * self.epoch * factor


class Running(NamedTuple):
    """An evaluation at which a worker is.

    Args:
        bracket: Its bracket; negative if the search does not wait for it.
        rung: Its rung there.
        seconds: Seconds that are left of it.
    """

    bracket: int
    rung: int
    seconds: float


@dataclass(frozen=True)
class SearchStanding:
    """How far a search is; nothing is begun by default.

    Args:
        begun: Brackets that have begun.
        settled: Evaluations that are settled, by bracket and rung.
        running: Evaluations that run, by worker.
    """

    begun: int = 0
    settled: Mapping[tuple[int, int], int] = field(default_factory=dict)
    running: Mapping[str, Running] = field(default_factory=dict)


def epochs_on(rungs: Sequence[Rung], rung: int, continuing: bool) -> int:
    """Whole epochs that an evaluation trains on a rung, if its trial was promoted to it."""
    whole = [max(1, round(each.budget)) for each in rungs]
    return whole[rung] - (whole[rung - 1] if continuing and rung else 0)


class _Climb:
    """A bracket that is played through."""

    def __init__(self, index: int, rungs: tuple[Rung, ...]) -> None:
        self.index, self.rungs = index, rungs
        self.rung = -1
        self.left = self.unsettled = 0
        self.go_on()

    def go_on(self) -> None:
        """Opens the next rung, once the present one is decided."""
        while not self.unsettled and self.rung < len(self.rungs):
            self.rung += 1
            self.left = self.unsettled = 0 if self.is_over else self.rungs[self.rung].trials

    @property
    def is_over(self) -> bool:
        """Whether all rungs are decided."""
        return self.rung == len(self.rungs)


class SearchForecast:
    """Forecasts of one search by its number of brackets.

    Args:
        paces: The workers, in the order in which they joined.
        rungs_of: The rungs of each bracket.
        continuing: Whether a promoted trial goes on from its checkpoint.
        factor: Seconds of an epoch of a usual configuration, in those of the default.
        standing: How far the search is.
    """

    def __init__(
        self,
        paces: Mapping[str, Pace],
        rungs_of: RungsOf,
        continuing: bool,
        factor: float = 1.0,
        standing: SearchStanding = SearchStanding(),
    ) -> None:
        self._paces, self._rungs_of = paces, rungs_of
        self._continuing, self._factor, self._standing = continuing, factor, standing
        self._known: dict[int, float] = {}

    def seconds(self, brackets: int) -> float:
        """Seconds from now until so many brackets are finished; infinite without a worker."""
        if not self._paces:
            return math.inf
        brackets = max(brackets, self._standing.begun)
        played = min(brackets, self._standing.begun + MOST_PLAYED)
        if played not in self._known:
            self._known[played] = self._play(played)
        return self._known[played] + sum(map(self._share, _kinds(played, brackets, self._period)))

    def most(self, seconds: float, least: int) -> int:
        """The largest number of brackets that are finished by then; ``least`` if none is."""
        low, high = least, least + 1
        if self.seconds(low) > seconds:
            return least
        while self.seconds(high) <= seconds:
            low, high = high, 2 * high
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.seconds(middle) <= seconds else (low, middle)
        return low

    @property
    def _period(self) -> int:
        """Brackets after which their rungs repeat."""
        return max(len(self._rungs_of(index)) for index in range(2))

    def _share(self, kind_and_count: tuple[int, int]) -> float:
        """Seconds that brackets of a kind take workers that are never idle."""
        index, count = kind_and_count
        rungs, total = self._rungs_of(index), 0.0
        for number, rung in enumerate(rungs):
            epochs = epochs_on(rungs, number, self._continuing)
            each = (pace.seconds(epochs, self._factor) for pace in self._paces.values())
            total += rung.trials / sum(1 / max(seconds, 1e-9) for seconds in each)
        return count * total

    def _play(self, brackets: int) -> float:
        running = self._standing.running
        climbs = {index: self._resumed(index) for index in range(self._standing.begun)}
        climbs = {index: climb for index, climb in climbs.items() if not climb.is_over}
        ends = [
            (each.seconds, number, worker, each.bracket)
            for number, worker in enumerate(self._paces)
            if (each := running.get(worker))
        ]
        heapq.heapify(ends)
        idle = [(n, worker) for n, worker in enumerate(self._paces) if worker not in running]
        begun, now, last = self._standing.begun, 0.0, 0.0
        while True:
            while idle:
                climb = next((each for each in climbs.values() if each.left), None)
                if climb is None and begun < brackets:
                    climb = climbs[begun] = _Climb(begun, self._rungs_of(begun))
                    begun += 1
                if climb is None:
                    break
                number, worker = idle.pop(0)
                climb.left -= 1
                epochs = epochs_on(climb.rungs, climb.rung, self._continuing)
                end = now + self._paces[worker].seconds(epochs, self._factor)
                heapq.heappush(ends, (end, number, worker, climb.index))
            if not ends:
                return last
            now, number, worker, bracket = heapq.heappop(ends)
            idle = sorted([*idle, (number, worker)])
            if bracket in climbs:
                last = now
                climbs[bracket].unsettled -= 1
                climbs[bracket].go_on()
                if climbs[bracket].is_over:
                    del climbs[bracket]

    def _resumed(self, index: int) -> _Climb:
        """A bracket that has begun, as far as it is."""
        climb = _Climb(index, self._rungs_of(index))
        settled, running = self._standing.settled, self._standing.running.values()
        while not climb.is_over:
            place = index, climb.rung
            climb.unsettled = max(0, climb.unsettled - settled.get(place, 0))
            busy = sum((each.bracket, each.rung) == place for each in running)
            climb.left = max(0, climb.unsettled - busy)
            if climb.unsettled:
                break
            climb.go_on()
        return climb


def _kinds(first: int, end: int, period: int) -> list[tuple[int, int]]:
    """One bracket of each kind among those from ``first`` on, and how many there are of it."""
    count = end - first
    return [
        (first + kind, count // period + (kind < count % period))
        for kind in range(min(period, count))
    ]


def all_done(
    paces: Mapping[str, Pace],
    jobs: Sequence[tuple[float, float]],
    busy: Mapping[str, float] | None = None,
) -> float:
    """Seconds until the last of some independent trainings has ended.

    Args:
        paces: The workers, in the order in which they joined.
        jobs: Epochs and factor of each training, in the order in which they wait.
        busy: Seconds for which workers are busy before.

    Returns:
        Infinite without a worker; at least until the last busy one is free.
    """
    if not paces:
        return math.inf if jobs else 0.0
    busy = busy or {}
    free = [(busy.get(worker, 0.0), n, worker) for n, worker in enumerate(paces)]
    heapq.heapify(free)
    last = max((seconds for worker, seconds in busy.items() if worker in paces), default=0.0)
    for epochs, factor in jobs:
        now, number, worker = heapq.heappop(free)
        end = now + paces[worker].seconds(epochs, factor)
        last = max(last, end)
        heapq.heappush(free, (end, number, worker))
    return last
