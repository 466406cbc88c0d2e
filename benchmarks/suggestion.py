"""Time per suggestion and per observation, ours against HpBandSter's generator, side by side.

Run it as ``python benchmarks/suggestion.py``; it asserts nothing. Half of the dimensions are
continuous, the others categorical with four choices. Our model is refitted when it is asked,
HpBandSter's at every result; so a cycle of one observation and one suggestion is what compares.
"""

import logging
import time
import warnings
from collections.abc import Callable
from typing import Protocol

import numpy as np
from ConfigSpace import Categorical, ConfigurationSpace, Float
from hpbandster.core.dispatcher import Job
from hpbandster.optimizers.config_generators.bohb import BOHB

from bohb_seg.optimizers import bohb
from bohb_seg.search.hyperband import Ladder
from bohb_seg.spaces.formats import configspace
from bohb_seg.trials import Configuration

DIMENSIONS = (5, 10)
OBSERVATIONS = (100, 1000)
CYCLES = 60
BUDGET = 27.0


def space_of(dimensions: int) -> ConfigurationSpace:
    """Continuous and categorical dimensions in turn."""
    space = ConfigurationSpace(seed=0)
    for index in range(dimensions):
        if index % 2:
            space.add(Categorical(f"c{index}", ["a", "b", "c", "d"]))
        else:
            space.add(Float(f"x{index}", (0.0, 1.0)))
    return space


def loss_of(configuration: Configuration) -> float:
    """Something to learn: small numbers and the letter a are good."""
    values = configuration.values()
    return sum(v if isinstance(v, float) else "abcd".index(str(v)) for v in values)


class Subject(Protocol):
    """An optimizer to be timed."""

    def observe(self, configuration: Configuration, last: bool = True) -> None:
        """One result."""
        ...

    def suggest(self) -> None:
        """One suggestion."""
        ...


class Ours:
    """Our optimizer."""

    def __init__(self, space: ConfigurationSpace) -> None:
        self.optimizer = bohb.build(space, Ladder(1, BUDGET), seed=0)

    def observe(self, configuration: Configuration, last: bool = True) -> None:
        """One result; the model waits until it is asked."""
        self.optimizer.observe(configuration, BUDGET, loss_of(configuration))

    def suggest(self) -> None:
        """One suggestion."""
        self.optimizer.suggest()


class HpBandSters:
    """HpBandSter's generator, as its master calls it."""

    def __init__(self, space: ConfigurationSpace) -> None:
        np.random.seed(0)
        self.generator = BOHB(space, logger=logging.getLogger("hpbandster.quiet"))

    def observe(self, configuration: Configuration, last: bool = True) -> None:
        """One result; refits if it is the last."""
        job = Job((0, 0, 0), config=dict(configuration), budget=BUDGET)
        job.result = {"loss": loss_of(configuration), "info": {}}
        self.generator.new_result(job, update_model=last)

    def suggest(self) -> None:
        """One suggestion."""
        self.generator.get_config(BUDGET)


def cycle_times(
    kind: Callable[[ConfigurationSpace], Subject], dimensions: int, observations: int
) -> tuple[float, float]:
    """Milliseconds per observation and per suggestion (medians of all cycles)."""
    space = space_of(dimensions)
    configurations = [
        configspace.plain(c) for c in space.sample_configuration(observations + CYCLES)
    ]
    subject = kind(space)
    for configuration in configurations[:observations]:
        subject.observe(configuration, last=False)
    times = []
    for configuration in configurations[observations:]:
        start = time.perf_counter()
        subject.observe(configuration)
        middle = time.perf_counter()
        subject.suggest()
        times.append((middle - start, time.perf_counter() - middle))
    observing, suggesting = 1000 * np.median(times, axis=0)
    return float(observing), float(suggesting)


def main() -> None:
    """Prints the table."""
    warnings.simplefilter("ignore")  # HpBandSter calls what ConfigSpace and NumPy deprecated
    np.seterr(all="ignore")
    print("milliseconds, median of", CYCLES, "cycles of one observation and one suggestion")
    print(f"{'':22}{'observe':>20}{'suggest':>20}{'cycle':>20}")
    print(f"{'dimensions  results':22}" + 3 * f"{'ours':>10}{'theirs':>10}" + f"{'ratio':>8}")
    for dimensions in DIMENSIONS:
        for observations in OBSERVATIONS:
            ours, theirs = (cycle_times(k, dimensions, observations) for k in (Ours, HpBandSters))
            cells = zip([*ours, sum(ours)], [*theirs, sum(theirs)], strict=True)
            row = "".join(f"{a:10.2f}{b:10.2f}" for a, b in cells)
            print(f"{dimensions:>6}{observations:>10}{'':6}{row}{sum(theirs) / sum(ours):7.0f}x")


if __name__ == "__main__":
    main()
