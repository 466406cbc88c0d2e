"""The problems: what a training of a configuration would have shown, without training.

Every problem has budgets from 1 to ``MAX_EPOCHS`` epochs, one epoch being the unit of cost. They
need NumPy and ConfigSpace only, so that they run in the environments of all methods.
"""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from ConfigSpace import ConfigurationSpace

MAX_EPOCHS = 27
ETA = 3

Configuration = Mapping[str, Any]
Seed = tuple[int, ...]


class Problem(Protocol):
    """One problem; losses are minimised."""

    @property
    def name(self) -> str:
        """Name in tables and on the command line."""
        ...

    @property
    def optimum(self) -> Configuration:
        """The best configuration known."""
        ...

    def space(self) -> ConfigurationSpace:
        """A fresh copy of the search space."""
        ...

    def loss(self, configuration: Configuration, epochs: int, training: Seed) -> float | None:
        """The validation loss a training shows after so many epochs; None if it diverged.

        Args:
            configuration: What is trained.
            epochs: In total, 1 to ``MAX_EPOCHS``.
            training: Its luck. The same training gives the same losses, one after another.
        """
        ...

    def quality(self, configuration: Configuration) -> float:
        """The expected loss at ``MAX_EPOCHS``, what divergence costs included; without noise."""
        ...


def plain(point: Mapping[str, Any]) -> Configuration:
    """A configuration with plain Python values instead of NumPy's."""
    return {
        name: value.item() if isinstance(value, np.generic) else value
        for name, value in point.items()
    }


def every() -> dict[str, Problem]:
    """All problems by name, in the order of the tables."""
    from benchmarks.search.problems.conditional import conditional
    from benchmarks.search.problems.counting import CountingOnes
    from benchmarks.search.problems.curves import divergence, dubai, misleading
    from benchmarks.search.problems.functions import Borehole, Hartmann
    from benchmarks.search.problems.recipe import recipe

    counting = (CountingOnes(size) for size in (4, 8, 16))
    functions = Hartmann(), Borehole()
    problems: list[Problem] = [*counting, *functions, dubai(), misleading(), divergence()]
    problems += conditional(), recipe()
    return {problem.name: problem for problem in problems}
