"""Configurations as points of the unit cube, for models that work on numbers.

Continuous and integer hyperparameters lie in [0, 1], on a logarithmic scale where the space says
so. Categorical ones are codes 0, 1, ... Ordinal ones are treated like integers: the ``i``-th of
``n`` values lies in the middle of the ``i``-th of ``n`` equal cells of [0, 1], so that neighbours
are near. (HpBandSter refuses ordinals and asks to encode them as integers.) Constants are left out,
because there is nothing to model.
"""

import numpy as np
from ConfigSpace import (
    CategoricalHyperparameter,
    ConfigurationSpace,
    Constant,
    OrdinalHyperparameter,
    UniformIntegerHyperparameter,
)
from ConfigSpace import Configuration as Point
from numpy.typing import NDArray

from bohb_seg.trials import Configuration

Floats = NDArray[np.float64]


class Encoding:
    """Translates between configurations and points of one space."""

    def __init__(self, space: ConfigurationSpace) -> None:
        self._space = space
        self._columns = [
            index for index, name in enumerate(space.at) if not isinstance(space[name], Constant)
        ]
        self._tuned = [space.at[column] for column in self._columns]
        tuned = [space[name] for name in self._tuned]
        self.choices = np.array(
            [len(p.choices) if isinstance(p, CategoricalHyperparameter) else 0 for p in tuned],
            np.int64,
        )
        """Number of values of each categorical dimension, 0 for other dimensions; (d,)."""
        self._levels = np.array(
            [len(p.sequence) if isinstance(p, OrdinalHyperparameter) else 0 for p in tuned]
        )

    def encode(self, configuration: Configuration) -> Floats:
        """The point (d,) of a configuration, which may come from another space.

        A coordinate is NaN if the hyperparameter is inactive, is missing, or has a value that does
        not exist in this space. Names that do not exist in this space are ignored.
        """
        return self._in_cells(
            np.array([self._coordinate(name, configuration) for name in self._tuned])
        )

    def points(self, vectors: Floats) -> Floats:
        """The points (n, d) of legal configurations, given as ConfigSpace's vectors (n, all)."""
        return self._in_cells(vectors[:, self._columns])

    def _in_cells(self, codes: Floats) -> Floats:
        """Coordinates (..., d), with codes of ordinal values moved into their cells."""
        return np.where(self._levels > 0, (codes + 0.5) / np.maximum(self._levels, 1), codes)

    def _coordinate(self, name: str, configuration: Configuration) -> float:
        hyperparameter = self._space[name]
        try:
            is_legal = name in configuration and hyperparameter.legal_value(configuration[name])
        except TypeError:  # NumPy has no numbers of so many digits
            is_legal = False
        if not is_legal:
            return np.nan
        return float(hyperparameter.to_vector(configuration[name]))

    def decode(self, point: Floats) -> Point:
        """The configuration at a point (d,) without NaN; inactive hyperparameters are left out.

        Raises:
            ForbiddenValueError: a clause of the space forbids it.
        """
        vector = self._snapped(point)
        for index, name in enumerate(self._space.at):  # parents come before their children
            conditions = self._space.parent_conditions_of.get(name, ())
            if not all(condition.satisfied_by_vector(vector) for condition in conditions):
                vector[index] = np.nan
        return Point(self._space, values=dict(Point(self._space, vector=vector)))

    def legal(self, points: Floats) -> Floats:
        """Points (n, d) without NaN, moved to values that exist; NaN where inactive.

        Forbidden clauses are not looked at: ``decode`` tells what they forbid.
        """
        vectors = np.array(
            [np.full(len(points), p.to_vector(p.default_value)) for p in self._space.values()]
        )
        cells = np.maximum(self._levels, 1)
        codes = np.clip(np.floor(points * cells), 0, cells - 1)
        vectors[self._columns] = np.where(self._levels > 0, codes, points).T
        for index, name in enumerate(self._space.at):  # parents come before their children
            hyperparameter = self._space[name]
            if isinstance(hyperparameter, UniformIntegerHyperparameter):
                values = hyperparameter.to_value(vectors[index])
                vectors[index] = hyperparameter.to_vector(values)
            for condition in self._space.parent_conditions_of.get(name, ()):
                vectors[index, ~condition.satisfied_by_vector_array(vectors)] = np.nan
        return self._in_cells(vectors[self._columns].T)

    def _snapped(self, point: Floats) -> Floats:
        """The vector of all hyperparameters, as if all were active, moved to values that exist."""
        cells = np.clip(np.floor(point * self._levels), 0, np.maximum(self._levels - 1, 0))
        vector = np.array([p.to_vector(p.default_value) for p in self._space.values()], float)
        vector[self._columns] = np.where(self._levels > 0, cells, point)
        values = dict(Point(self._space, vector=vector))
        return np.array([self._space[name].to_vector(values[name]) for name in self._space.at])
