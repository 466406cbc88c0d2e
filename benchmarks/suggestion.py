"""Time of a cycle of one observation and one suggestion: our models and HpBandSter's generator.

Run it as ``python benchmarks/suggestion.py``; it asserts nothing. Half of the dimensions are
continuous, the others categorical with four choices. Our models are refitted when they are asked,
HpBandSter's at every result; so a cycle is what compares. The longest one is shown, too, because
a master waits for it; the Gaussian process fits its parameters a few steps in every cycle.
"""

import logging
import time
import warnings
from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np
from ConfigSpace import Categorical, ConfigurationSpace, Float
from hpbandster.core.dispatcher import Job
from hpbandster.optimizers.config_generators.bohb import BOHB

from bohb_seg.optimizers import bohb, bohb_kde
from bohb_seg.search.hyperband import Ladder
from bohb_seg.search.optimizer import Optimizer
from bohb_seg.spaces.formats import configspace
from bohb_seg.trials import Configuration

DIMENSIONS = (5, 10, 15)
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
    """One of our optimizers, which sees only the largest budget."""

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer = optimizer

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


KINDS: Mapping[str, Callable[[ConfigurationSpace], Subject]] = {
    "bohb": lambda space: Ours(bohb.build(space, Ladder(1, BUDGET), seed=0)),
    "bohb-kde": lambda space: Ours(bohb_kde.build(space, Ladder(1, BUDGET), seed=0)),
    "HpBandSter": HpBandSters,
}


def cycle_times(kind: str, dimensions: int, observations: int) -> tuple[float, float]:
    """Milliseconds per cycle: the median and the largest."""
    space = space_of(dimensions)
    configurations = [
        configspace.plain(c) for c in space.sample_configuration(observations + CYCLES)
    ]
    subject = KINDS[kind](space)
    for configuration in configurations[:observations]:
        subject.observe(configuration, last=False)
    times = []
    for configuration in configurations[observations:]:
        start = time.perf_counter()
        subject.observe(configuration)
        subject.suggest()
        times.append(1000 * (time.perf_counter() - start))
    return float(np.median(times)), max(times)


def main() -> None:
    """Prints the table."""
    warnings.simplefilter("ignore")  # HpBandSter calls what ConfigSpace and NumPy deprecated
    np.seterr(all="ignore")
    print("milliseconds, median and largest of", CYCLES, "cycles")
    print(f"{'dimensions  results':22}" + "".join(f"{kind:>20}" for kind in KINDS))
    for dimensions in DIMENSIONS:
        for observations in OBSERVATIONS:
            cells = (cycle_times(kind, dimensions, observations) for kind in KINDS)
            row = "".join(f"{median:10.2f}{largest:10.2f}" for median, largest in cells)
            print(f"{dimensions:>6}{observations:>10}{'':6}{row}")


if __name__ == "__main__":
    main()
