"""Stochastic counting ones, with as many categorical as continuous dimensions.

A categorical dimension is 0 or 1, a continuous one the probability of a coin of which a budget sees
so many throws; the loss is minus the number of ones expected. Falkner, Klein and Hutter, ICML 2018,
section 5.1, who throw 9 to 729 times; here it is 27 to 729 times in four rungs.
"""

from dataclasses import dataclass

import numpy as np
from ConfigSpace import Categorical, ConfigurationSpace, Float
from numpy.typing import NDArray

from benchmarks.search.problems import Configuration, Seed

THROWS = 27
"""Of every coin in one epoch."""


@dataclass(frozen=True)
class CountingOnes:
    """``size`` dimensions of either kind."""

    size: int

    @property
    def name(self) -> str:
        """``counting-8`` for 8 + 8 dimensions."""
        return f"counting-{self.size}"

    @property
    def optimum(self) -> Configuration:
        """All ones."""
        return {f"c{i}": 1 for i in range(self.size)} | {f"x{i}": 1.0 for i in range(self.size)}

    def space(self) -> ConfigurationSpace:
        """``c0``, ``c1``, ... in {0, 1}, ``x0``, ``x1``, ... in [0, 1]."""
        space = ConfigurationSpace()
        space.add(*(Categorical(f"c{index}", [0, 1]) for index in range(self.size)))
        space.add(*(Float(f"x{index}", (0.0, 1.0)) for index in range(self.size)))
        return space

    def loss(self, configuration: Configuration, epochs: int, training: Seed) -> float:
        """Minus the ones counted; throws of earlier epochs count on."""
        chances = self._chances(configuration)
        ones = np.random.default_rng(training).binomial(THROWS, chances, (epochs, self.size))
        return float(-self._fixed(configuration) - ones.sum() / (THROWS * epochs))

    def quality(self, configuration: Configuration) -> float:
        """Minus the expected number of ones."""
        return float(-self._fixed(configuration) - self._chances(configuration).sum())

    def _fixed(self, configuration: Configuration) -> int:
        return sum(configuration[f"c{index}"] for index in range(self.size))

    def _chances(self, configuration: Configuration) -> NDArray[np.float64]:
        return np.array([configuration[f"x{index}"] for index in range(self.size)])
