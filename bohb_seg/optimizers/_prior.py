"""Random configurations of a space, drawn with a random state of their own."""

import copy

import numpy as np
from ConfigSpace import ConfigurationSpace
from numpy.typing import NDArray

from bohb_seg.spaces.formats import drawing
from bohb_seg.spaces.formats.configspace import plain_all
from bohb_seg.trials import Configuration, Suggestion


class Prior:
    """Draws configurations from a space; does not change the given space or its random state."""

    def __init__(self, space: ConfigurationSpace, seed: int) -> None:
        self._space = copy.deepcopy(space)
        self._space.seed(seed)
        self._drawn: list[Configuration] = []

    def suggest(self) -> Suggestion:
        """A random configuration.

        Raises:
            SpaceError: hardly any is legal.
        """
        if not self._drawn:
            points = drawing.draw(self._space)
            self._drawn = list(plain_all(self._space, points)[::-1])
        return Suggestion(self._drawn.pop(), model_based=False)

    def vectors(self, count: int) -> NDArray[np.float64]:
        """Random configurations as ConfigSpace has them: a row (count, all dimensions) for each.

        Args:
            count: Number of configurations, at least 2.

        Raises:
            SpaceError: hardly any is legal.
        """
        drawn = drawing.draw(self._space, count)
        return np.array([point.get_array() for point in drawn]).reshape(count, len(self._space))
