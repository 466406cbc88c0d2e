"""A Gaussian process over configurations and budgets.

With x a configuration, t a budget (1 is the largest, lower ones are less) and i a trial, two
observations have the covariance

    M(x, x') (a N(t, t') + 1 - a) + c [i = i'] + s [same observation]

M is a Matérn-5/2 kernel with a length scale for every hyperparameter, N a Matérn-3/2 kernel. So a
share ``1 - a`` of what a configuration is worth is the same at all budgets, and the luck ``c`` of a
trial accompanies it from budget to budget. The values are those of ``normal_scores``: they have a
variance of about 1, and so has the process.

Parameters are the most probable ones, given the data and the priors below.

Sources: Rasmussen and Williams, "Gaussian Processes for Machine Learning", 2006 (kernels, equation
5.9 for the gradient, algorithm 2.1); Swersky et al., "Raiders of the Lost Architecture", 2013, for
inactive hyperparameters (``embedded``).
"""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.special import expit, ndtri
from scipy.stats import rankdata

Floats = NDArray[np.float64]

# Priors of the logarithms of the parameters (of the odds of the share a): mean, standard deviation.
_LENGTH = math.log(0.5), 0.7
"""Length scale of a hyperparameter divided by the root of their number."""
_BUDGET_LENGTH = 0.0, 0.5
_SHARE = 0.0, 0.7
_LUCK = math.log(0.1), 1.0
_NOISE = math.log(0.02), 1.2
_REACH = 3.0
"""Standard deviations from the mean to which parameters are confined."""
_FIRST_STEP, _LONGEST_STEP = 0.2, 0.5
"""Of the search for parameters, in standard deviations."""
_SHORTEST_STEP = 1e-3
_FASTER, _SLOWER = 1.2, 0.5
"""Factors on a step: the usual ones."""


@dataclass(frozen=True)
class Places:
    """Where something was, or is to be, observed.

    Args:
        features: (n, m) embedded configurations.
        budgets: (n,) logarithms of budgets, 1 at the largest.
        trials: (n,) numbers of trials; observations of one trial have the same.
    """

    features: Floats
    budgets: Floats
    trials: NDArray[np.int64]

    def __getitem__(self, rows: NDArray[np.int64]) -> Self:
        return type(self)(self.features[rows], self.budgets[rows], self.trials[rows])


def joined(first: Places, second: Places) -> Places:
    """Places one after another."""
    return Places(
        np.vstack([first.features, second.features]),
        np.concatenate([first.budgets, second.budgets]),
        np.concatenate([first.trials, second.trials]),
    )


def owners_of(choices: NDArray[np.int64]) -> NDArray[np.int64]:
    """The dimension (m,) that each feature belongs to: a number has two, a choice one a value."""
    return np.repeat(np.arange(len(choices)), np.where(choices > 0, choices, 2))


def embedded(points: Floats, choices: NDArray[np.int64]) -> Floats:
    """Features (n, m) of points (n, d).

    An active number lies on an arc, an inactive one (NaN) at its centre. So two inactive ones are
    equal, an active and an inactive one are 1 apart whatever the value, and two active ones are as
    far apart as their values, to 4 %. Two different choices are 1 apart, too.

    Args:
        points: Of the unit cube, with codes 0, 1, ... in unordered dimensions.
        choices: (d,) number of values of an unordered dimension; 0: a number.
    """
    columns: list[Floats] = []
    for values, count in zip(points.T, choices, strict=True):
        if count:
            columns += [np.where(values == code, math.sqrt(0.5), 0.0) for code in range(count)]
        else:
            columns += [np.nan_to_num(np.sin(values)), np.nan_to_num(np.cos(values))]
    return np.column_stack(columns)


def normal_scores(losses: Floats) -> Floats:
    """Normal quantiles of the ranks of losses (n,), which may be infinite; larger is better."""
    scores: Floats = -ndtri((rankdata(losses) - 0.5) / len(losses))
    return scores


def prior(owners: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Means and standard deviations (d + 4,) of the parameters before there are data.

    Args:
        owners: (m,) dimension that each feature belongs to.
    """
    dimensions = int(owners.max(initial=-1)) + 1
    length = _LENGTH[0] + 0.5 * math.log(max(dimensions, 1)), _LENGTH[1]
    mean, deviation = np.array([length] * dimensions + [_BUDGET_LENGTH, _SHARE, _LUCK, _NOISE]).T
    return mean, deviation


class Kernel:
    """The covariance for given parameters (d + 4,), all of them logarithms or log odds."""

    def __init__(self, parameters: Floats, owners: NDArray[np.int64]) -> None:
        self._owners = owners
        self._scales = np.exp(parameters[:-4])[owners]
        self._budget_length = math.exp(parameters[-4])
        self._share = float(expit(parameters[-3]))
        self._luck, self._noise = np.exp(parameters[-2:])

    def between(self, some: Places, others: Places) -> Floats:
        """Covariances (n, k) of values without luck and noise."""
        near = _matern5(self._distances(some, others))
        (levels, rows), (other_levels, columns) = map(_levels, (some.budgets, others.budgets))
        gaps = np.abs(levels[:, None] - other_levels) * (math.sqrt(3) / self._budget_length)
        near *= (1 - self._share + self._share * _matern3(gaps))[rows][:, columns]
        return near

    def within(self, places: Places) -> Floats:
        """Covariances (n, n) of observations."""
        covariance = self.between(places, places)
        covariance += self._luck * _same(places)
        covariance[np.diag_indices_from(covariance)] += self._noise
        return covariance

    def slopes(self, places: Places, weights: Floats) -> Floats:
        """Derivatives (d + 4,) of the sum of ``weights`` (n, n) * ``within`` by the parameters."""
        distances, gaps = self._distances(places, places), self._gaps(places, places)
        over_budgets = 1 - self._share + self._share * _matern3(gaps)
        over_space = weights * _matern5(distances)
        pull = weights * over_budgets * (5 / 3) * (1 + distances) * np.exp(-distances)
        scaled = places.features / self._scales
        # Sum of pull times (x - x')^2, for each feature: pull is symmetric.
        spread = 2 * (pull.sum(axis=0) @ scaled**2 - np.einsum("nm,nm->m", scaled, pull @ scaled))
        by_length = np.bincount(self._owners, spread)
        by_budget_length = self._share * (over_space * gaps**2 * np.exp(-gaps)).sum()
        odds = self._share * (1 - self._share)
        by_share = odds * (over_space * (_matern3(gaps) - 1)).sum()
        by_luck = self._luck * (weights * _same(places)).sum()
        by_noise = self._noise * np.trace(weights)
        return np.array([*by_length, by_budget_length, by_share, by_luck, by_noise])

    def _distances(self, some: Places, others: Places) -> Floats:
        """Distances (n, k) in length scales, times the root of 5."""
        left, right = some.features / self._scales, others.features / self._scales
        distances: Floats = left @ (-10 * right.T)
        distances += 5 * (left**2).sum(axis=1)[:, None]
        distances += 5 * (right**2).sum(axis=1)
        np.maximum(distances, 0, out=distances)
        return np.sqrt(distances, out=distances)

    def _gaps(self, some: Places, others: Places) -> Floats:
        """Distances (n, k) between budgets in length scales, times the root of 3."""
        gaps = np.abs(some.budgets[:, None] - others.budgets)
        scaled: Floats = gaps * (math.sqrt(3) / self._budget_length)
        return scaled


def _matern5(distances: Floats) -> Floats:
    values: Floats = distances / 3
    values += 1
    values *= distances
    values += 1
    values *= np.exp(-distances)
    return values


def _levels(budgets: Floats) -> tuple[Floats, NDArray[np.int64]]:
    """The different budgets, of which there are few, and which of them each is."""
    levels, which = np.unique(budgets, return_inverse=True)
    return levels, which


def _matern3(distances: Floats) -> Floats:
    values: Floats = (1 + distances) * np.exp(-distances)
    return values


def _same(places: Places) -> NDArray[np.bool_]:
    same: NDArray[np.bool_] = places.trials[:, None] == places.trials
    return same


def evidence(
    parameters: Floats, places: Places, values: Floats, owners: NDArray[np.int64]
) -> tuple[float, Floats]:
    """Minus the log posterior of parameters (d + 4,) but for a constant, and its gradient."""
    kernel = Kernel(parameters, owners)
    factor = cholesky(kernel.within(places), lower=True, check_finite=False)
    inverse = cho_solve((factor, True), np.eye(len(values)), check_finite=False)
    weights = inverse @ values
    misfit = 0.5 * float(values @ weights) + float(np.log(np.diag(factor)).sum())
    slopes = kernel.slopes(places, 0.5 * (inverse - np.outer(weights, weights)))
    mean, deviation = prior(owners)
    distance = (parameters - mean) / deviation
    return misfit + 0.5 * float(distance @ distance), slopes + distance / deviation


class Fit:
    """Parameters on their way to the most probable ones.

    A few steps at a time, so that no suggestion has to wait for all of them. Each parameter has a
    step length of its own, which grows as long as its slope keeps its sign. Source: Igel and
    Huesken, "Improving the Rprop Learning Algorithm", 2000 (iRprop-).

    Args:
        owners: (m,) dimension that each feature belongs to.
    """

    def __init__(self, owners: NDArray[np.int64]) -> None:
        self._owners = owners
        self.parameters, self._deviation = prior(owners)
        """Parameters (d + 4,) as far as they are known; at first the most probable without data."""
        self._low = self.parameters - _REACH * self._deviation
        self._high = self.parameters + _REACH * self._deviation
        self._lengths = _FIRST_STEP * self._deviation
        self._slopes = np.zeros_like(self._lengths)

    def improve(self, places: Places, values: Floats, steps: int) -> None:
        """Goes so many steps towards the most probable parameters.

        Args:
            places: Where values were observed.
            values: (n,) what was observed.
            steps: How many; each takes an evaluation of the evidence.
        """
        for _ in range(steps):
            _, slopes = evidence(self.parameters, places, values, self._owners)
            agree = np.sign(slopes * self._slopes)
            factors = np.select([agree > 0, agree < 0], [_FASTER, _SLOWER], 1.0)
            longest = _LONGEST_STEP * self._deviation
            self._lengths = np.clip(self._lengths * factors, _SHORTEST_STEP, longest)
            self._slopes = np.where(agree < 0, 0.0, slopes)
            moved = self.parameters - np.sign(self._slopes) * self._lengths
            self.parameters = np.clip(moved, self._low, self._high)


class Posterior:
    """A process that was told observations.

    Args:
        kernel: Its covariance.
        places: (n,) what was observed, then (p,) what will be, of which only the place is known.
        values: (n,) observed values.
    """

    def __init__(self, kernel: Kernel, places: Places, values: Floats) -> None:
        self._kernel, self._places, self._known = kernel, places, len(values)
        self._factor = cholesky(kernel.within(places), lower=True, check_finite=False)
        known = self._factor[: self._known, : self._known]
        self._weights = cho_solve((known, True), values, check_finite=False)

    def predict(self, places: Places) -> tuple[Floats, Floats]:
        """Means (k,) and standard deviations (k,) of values without luck and noise.

        What will be observed makes the process surer, and does not move its means.
        """
        covariances = self._kernel.between(self._places, places)
        means: Floats = self._weights @ covariances[: self._known]
        explained = solve_triangular(self._factor, covariances, lower=True, check_finite=False)
        variances = 1 - (explained**2).sum(axis=0)
        return means, np.sqrt(np.maximum(variances, 1e-12))
