"""What was seen of one run, and the figures that follow from it; no processes here."""

import itertools
import math
import statistics
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

Spell = tuple[float, float]
"""Begin and end of one evaluation, in seconds of the monotonic clock; inf: it still runs."""


@dataclass(frozen=True)
class Load:
    """What both sides are given.

    Args:
        workers: Processes that evaluate.
        seconds: How long one evaluation takes.
        optimizer: ``hyperband`` or ``random``; ours also knows ``bohb``.
    """

    workers: int
    seconds: float = 0.0
    optimizer: str = "hyperband"

    def __str__(self) -> str:
        return f"{self.workers} x {self.seconds:g} s"


@dataclass(frozen=True)
class Sample:
    """One look at a master: seconds of clock and of processor, evaluations so far, bytes."""

    time: float
    evaluations: int
    cpu: float
    rss: int


@dataclass(frozen=True)
class Race:
    """One side's run under a load, from the first sample (it was warm by then) to the last.

    Args:
        load: What it was given.
        samples: In order of time, at least two.
        spells: Of each worker, in order of time.
        workers_cpu: Processor seconds that all workers spent between first and last sample.
    """

    load: Load
    samples: tuple[Sample, ...]
    spells: tuple[tuple[Spell, ...], ...]
    workers_cpu: float

    @property
    def window(self) -> Spell:
        """First and last moment that count."""
        return self.samples[0].time, self.samples[-1].time

    @property
    def evaluations(self) -> int:
        """Those that ended in the window."""
        return max(1, self.samples[-1].evaluations - self.samples[0].evaluations)


def per_second(race: Race) -> float:
    """Evaluations per second."""
    begin, end = race.window
    return race.evaluations / (end - begin)


def waits(race: Race) -> list[float]:
    """Seconds between each end of an evaluation and the begin of that worker's next one."""
    first, last = race.window
    return [
        after[0] - before[1]
        for spells in race.spells
        for before, after in itertools.pairwise(spells)
        if first <= before[1] and after[0] <= last
    ]


def busy_percent(race: Race) -> float:
    """Share of the workers' time that they spend in evaluations."""
    first, last = race.window
    busy = sum(
        max(0.0, min(end, last) - max(begin, first))
        for spells in race.spells
        for begin, end in spells
    )
    return 100 * busy / (race.load.workers * (last - first))


def _wait_ms(race: Race, percentile: int) -> float:
    found = waits(race)
    if len(found) < 2:
        return math.nan
    return 1000 * statistics.quantiles(found, n=100, method="inclusive")[percentile - 1]


def _master_ms(race: Race) -> float:
    return 1000 * (race.samples[-1].cpu - race.samples[0].cpu) / race.evaluations


MEASURES: Mapping[str, Callable[[Race], float]] = {
    "evaluations/s": per_second,
    "result to next job, median ms": lambda race: _wait_ms(race, 50),
    "result to next job, 95th ms": lambda race: _wait_ms(race, 95),
    "workers computing, %": busy_percent,
    "master CPU, ms/evaluation": _master_ms,
    "workers' CPU, ms/evaluation": lambda race: 1000 * race.workers_cpu / race.evaluations,
    "master RSS at the end, MB": lambda race: race.samples[-1].rss / 1e6,
}


def growth(race: Race, marks: tuple[int, ...]) -> Iterator[tuple[int, float, float]]:
    """At each mark (evaluations): RSS in MB, and evaluations/s since the mark before."""
    before = race.samples[0]
    for mark in marks:
        there = next((s for s in race.samples if s.evaluations >= mark), None)
        if there is None:
            return
        speed = (there.evaluations - before.evaluations) / max(there.time - before.time, 1e-9)
        yield mark, there.rss / 1e6, speed
        before = there
