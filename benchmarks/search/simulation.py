"""A run under a simulated clock: every method pays the same for the same training.

Rules, for all methods alike:

- An epoch takes one unit of time, whatever is trained; a method's own thinking takes none.
- A training that is asked for again with more epochs continues from its checkpoint and pays for the
  epochs it adds. What is asked for with no more epochs than it had starts anew, with other luck.
- A free worker asks at once. What the method knows then is what had ended by then.
- What a method would hand out at a moment is the configuration with the lowest loss observed at the
  largest budget reached so far (earliest among equals), whatever it would recommend itself.
- Spent is what all workers could have trained since the start: *full trainings* of 27 epochs.
"""

import heapq
import math
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, Protocol

from ConfigSpace import ConfigurationSpace

from benchmarks.search.problems import MAX_EPOCHS, Configuration, Problem


@dataclass(frozen=True)
class Job:
    """What a method wants trained.

    Args:
        training: Names the training that is begun or continued.
        configuration: Plain Python values.
        epochs: In total.
        note: Whatever the method wants back.
    """

    training: Hashable
    configuration: Configuration
    epochs: int
    note: Any = field(default=None, compare=False)


class Method(Protocol):
    """A search method."""

    def ask(self, worker: int) -> Job | None:
        """The next job of this free worker; None: it has to wait for a result."""
        ...

    def tell(self, job: Job, loss: float | None) -> None:
        """The job has ended; None: it diverged."""
        ...


_ROUNDING = 1e-9

Build = Callable[[ConfigurationSpace, int, int], Method]
"""Makes a method from a space, the number of workers and a seed."""


@dataclass(frozen=True)
class Observation:
    """A job that has ended, after so many full trainings of all workers together."""

    spent: float
    job: Job
    loss: float | None


@dataclass(frozen=True)
class Trajectory:
    """What was observed, in order, and what could have been handed out when."""

    problem: Problem
    observations: tuple[Observation, ...]

    def handed_out(self, full_trainings: float) -> Configuration | None:
        """The configuration handed out then; None if nothing has ended well."""
        best = None
        for seen in self.observations:
            if seen.spent > full_trainings + _ROUNDING:
                break
            if seen.loss is not None and (best is None or _better(seen, best)):
                best = seen
        return None if best is None else best.job.configuration

    def quality(self, full_trainings: float) -> float:
        """True quality of what is handed out then; NaN if nothing is."""
        configuration = self.handed_out(full_trainings)
        return math.nan if configuration is None else self.problem.quality(configuration)


def _better(seen: Observation, best: Observation) -> bool:
    return (-seen.job.epochs, seen.loss) < (-best.job.epochs, best.loss)


def simulate(
    problem: Problem, build: Build, workers: int, seed: int, full_trainings: float
) -> Trajectory:
    """Runs a method until so many full trainings are spent.

    Args:
        problem: What is trained.
        build: Makes the method.
        workers: How many train at once.
        seed: Of the method and of the luck of all trainings.
        full_trainings: Where to stop; jobs that would end later are not seen.

    Raises:
        RuntimeError: the method waits although nothing runs.
    """
    method, checkpoints = build(problem.space(), workers, seed), _Checkpoints()
    idle = list(range(workers))
    running: list[tuple[float, int, int, Job, int]] = []
    observations: list[Observation] = []
    now, end, serial = 0.0, full_trainings * MAX_EPOCHS / workers, 0
    while True:
        for worker in list(idle):
            if job := method.ask(worker):
                idle.remove(worker)
                luck, cost = checkpoints.begin(job)
                serial += 1
                heapq.heappush(running, (now + cost, serial, worker, job, luck))
        if not running:
            raise RuntimeError(f"all {workers} workers wait, but nothing runs")
        now, _, worker, job, luck = heapq.heappop(running)
        if now > end + _ROUNDING:
            return Trajectory(problem, tuple(observations))
        loss = problem.loss(job.configuration, job.epochs, (seed, luck))
        observations.append(Observation(now * workers / MAX_EPOCHS, job, loss))
        checkpoints.end(job, luck)
        method.tell(job, loss)
        idle.append(worker)


class _Checkpoints:
    """How far every training is, and which luck it has."""

    def __init__(self) -> None:
        self._reached: dict[Hashable, tuple[int, int]] = {}
        self._begun = 0

    def begin(self, job: Job) -> tuple[int, int]:
        """Luck of the training, and the epochs to pay for."""
        luck, epochs = self._reached.get(job.training, (0, MAX_EPOCHS))
        if job.epochs > epochs:
            return luck, job.epochs - epochs
        self._begun += 1
        return self._begun, job.epochs

    def end(self, job: Job, luck: int) -> None:
        """The training has a checkpoint at its epochs."""
        self._reached[job.training] = luck, job.epochs
