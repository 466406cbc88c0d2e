"""Configurations drawn at random from the space, with a random state of one's own."""

import copy

from ConfigSpace import ConfigurationSpace

from bohb_seg.spaces import plain
from bohb_seg.trials import Suggestion


class Prior:
    """Draws from the prior of a space; leaves the given space and its random state alone."""

    def __init__(self, space: ConfigurationSpace, seed: int) -> None:
        self._space = copy.deepcopy(space)
        self._space.seed(seed)

    def suggest(self) -> Suggestion:
        """A random configuration."""
        return Suggestion(plain(self._space.sample_configuration()), model_based=False)
