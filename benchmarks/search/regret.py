"""Normalised regret: 0 is the best configuration known, 1 what random search has by then.

The yardstick is one random search's median over ``REPETITIONS``: every configuration trained for
the full 27 epochs, one after another, and at n full trainings the one with the lowest observed loss
of n handed out. It is the same for any number of workers, and for nobody who measures: it is drawn
with a seed of its own. Who has nothing to hand out yet hands out a configuration drawn blindly (the
median of its qualities).
"""

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from benchmarks.search.problems import MAX_EPOCHS, Problem, every, plain
from benchmarks.search.simulation import Trajectory

Floats = NDArray[np.float64]

MARKS = 4, 16, 64
"""Full trainings at which regret is read."""
DRAWN = 4000
REPETITIONS = 2000
_SEED = 987_654_321


@lru_cache
def _drawn(name: str) -> tuple[Floats, Floats]:
    """Observed losses (infinite if diverged) and true qualities of random configurations."""
    problem = every()[name]
    space = problem.space()
    space.seed(_SEED)
    configurations = [plain(point) for point in space.sample_configuration(DRAWN)]
    losses = [
        problem.loss(configuration, MAX_EPOCHS, (_SEED, index))
        for index, configuration in enumerate(configurations)
    ]
    observed = np.array([math.inf if loss is None else loss for loss in losses])
    return observed, np.array([problem.quality(point) for point in configurations])


@lru_cache
def yardstick(name: str, full_trainings: int) -> float:
    """The median regret of random search, not normalised."""
    observed, qualities = _drawn(name)
    random = np.random.default_rng(_SEED)
    picks = random.integers(DRAWN, size=(REPETITIONS, full_trainings))
    winners = picks[np.arange(REPETITIONS), observed[picks].argmin(axis=1)]
    return float(np.median(qualities[winners])) - _best(name)


def _best(name: str) -> float:
    problem = every()[name]
    return problem.quality(problem.optimum)


def normalised(problem: Problem, quality: float, full_trainings: int) -> float:
    """The normalised regret of a true quality (NaN: nothing to hand out) at one of ``MARKS``."""
    if math.isnan(quality):
        quality = float(np.median(_drawn(problem.name)[1]))
    return (quality - _best(problem.name)) / yardstick(problem.name, full_trainings)


def regrets(trajectory: Trajectory, marks: Sequence[int] = MARKS) -> list[float]:
    """Normalised regrets of one run at all marks."""
    problem = trajectory.problem
    return [normalised(problem, trajectory.quality(mark), mark) for mark in marks]
