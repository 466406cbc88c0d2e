"""An optimizer: Hyperband's brackets, filled with neighbours of the best configuration so far.

Run it::

    bohb-master --optimizer examples/local_search.py
"""

import math

import numpy as np
from ConfigSpace import Configuration as Point
from ConfigSpace import ConfigurationSpace
from ConfigSpace.util import get_random_neighbor

from bohb_seg.search import hyperband
from bohb_seg.search.hyperband import Ladder, Rung
from bohb_seg.spaces.formats.configspace import plain
from bohb_seg.trials import Configuration, Suggestion

EXPLORING = 0.3
"""Share of suggestions that are drawn at random."""


class LocalSearch:
    """The best configuration is the one with the lowest loss on the largest budget seen."""

    def __init__(self, space: ConfigurationSpace, ladder: Ladder, seed: int) -> None:
        space.seed(seed)
        self._space, self._ladder = space, ladder
        self._random = np.random.default_rng(seed)
        self._best: Point | None = None
        self._score = (0.0, -math.inf)

    def rungs(self, bracket: int) -> tuple[Rung, ...]:
        """The rungs of Hyperband."""
        return hyperband.bracket(self._ladder, bracket)

    def suggest(self) -> Suggestion:
        """A neighbour of the best configuration, or a random one."""
        if self._best is None or self._random.random() < EXPLORING:
            return Suggestion(plain(self._space.sample_configuration()), model_based=False)
        neighbour = get_random_neighbor(self._best, int(self._random.integers(2**31)))
        return Suggestion(plain(neighbour), model_based=True)

    def observe(self, configuration: Configuration, budget: float, loss: float | None) -> None:
        """Remembers the configuration if it is better; None as a loss: it diverged or failed."""
        if loss is None or (budget, -loss) <= self._score:
            return
        try:
            self._best = Point(self._space, values=dict(configuration))
        except ValueError:  # it is of the other space of an earlier run
            return
        self._score = budget, -loss


def build(space: ConfigurationSpace, ladder: Ladder, seed: int) -> LocalSearch:
    """A local search with a random state of its own."""
    return LocalSearch(space, ladder, seed)
