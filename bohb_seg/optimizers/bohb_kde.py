"""BOHB as published: Hyperband's rungs, filled from densities of good and bad configurations.

Source: Falkner, Klein and Hutter, "BOHB: Robust and Efficient Hyperparameter Optimization at
Scale", ICML 2018, https://proceedings.mlr.press/v80/falkner18a.html.

The reference is the implementation in HpBandSter 0.7.4. Densities are the same, and so is the
distribution of suggestions (both are tested against it); the code is vectorised. Two defects are
mended:

- In HpBandSter, a categorical value that is missing on one side, good or bad, makes its density
  infinite or NaN, and a candidate with such a value is taken at once. Here densities are finite
  (see ``_kde``). A missing value is unlikely, not impossible, and equally so on both sides (see
  ``_least_bandwidths``).
- In HpBandSter, the good side has half of the observations if they are few. Here it has at most the
  share that Hyperband promotes (see ``_split``).

Other differences do not change the suggestions:

- The random state is its own and is seeded. The model is fitted when a suggestion is asked for, not
  at every result.
- A model that breaks raises an exception; HpBandSter silently goes on with random search.
- If a forbidden clause rules out a candidate, the next best one is taken.
- Ordinal hyperparameters are allowed; constants are not modelled (see ``_encoding``).
- Observations may come from earlier runs, with other spaces and other budgets.
"""

import itertools
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from ConfigSpace import ConfigurationSpace
from ConfigSpace.exceptions import ForbiddenValueError
from numpy.typing import NDArray

from bohb_seg.optimizers._encoding import Encoding, Floats
from bohb_seg.optimizers._kde import KernelDensity
from bohb_seg.optimizers._prior import Prior
from bohb_seg.search import hyperband
from bohb_seg.search.hyperband import Ladder, Rung
from bohb_seg.spaces.formats.configspace import plain
from bohb_seg.trials import Configuration, Suggestion

# The published defaults (Falkner et al., section 4.2), which are also HpBandSter's.
RANDOM_FRACTION = 1 / 3
"""Share of suggestions that are random."""
CANDIDATES = 64
"""Points drawn from the good density for each suggestion."""
GOOD_PERCENT = 15
"""Share of the observations that are good, in percent."""
BANDWIDTH_FACTOR = 3.0
"""Factor on the bandwidths with which candidates are drawn."""
MIN_BANDWIDTH = 1e-3
"""Smallest bandwidth of a continuous dimension, in [0, 1]."""

_SPREAD = 2
"""Fewest good observations: a density needs a standard deviation."""

_MIN_DENSITY = 1e-32
"""Densities below it count as equal: HpBandSter's guard against dividing by zero."""


@dataclass
class _Observations:
    """The observations of one budget: points (n, d) with NaN where inactive, losses (n,)."""

    points: Floats
    losses: list[float] = field(default_factory=list)

    def add(self, point: Floats, loss: float | None) -> None:
        self.points = np.vstack([self.points, point])
        self.losses.append(np.inf if loss is None else loss)


@dataclass(frozen=True)
class _Model:
    good: KernelDensity
    bad: KernelDensity


class BohbKde:
    """The published BOHB; a suggestion takes about a millisecond at 1,000 observations."""

    def __init__(self, space: ConfigurationSpace, ladder: Ladder, seed: int) -> None:
        self._ladder = ladder
        self._prior = Prior(space, seed)
        self._encoding = Encoding(space)
        self._random = np.random.default_rng(seed)
        self._dimensions = len(self._encoding.choices)
        self._observations: dict[float, _Observations] = {}
        self._model: _Model | None = None

    def rungs(self, bracket: int) -> tuple[Rung, ...]:
        """Hyperband's rungs."""
        return hyperband.bracket(self._ladder, bracket)

    def suggest(self) -> Suggestion:
        """The most promising of 64 candidates; in a third of the calls a random configuration."""
        model = self._fitted()
        if model is None or self._random.random() < RANDOM_FRACTION:
            return self._prior.suggest()
        candidates = model.good.sample(CANDIDATES, BANDWIDTH_FACTOR, self._random)
        for point in candidates[_ranking(model, candidates)]:
            try:
                return Suggestion(plain(self._encoding.decode(point)), model_based=True)
            except ForbiddenValueError:
                continue
        return self._prior.suggest()

    def observe(self, configuration: Configuration, budget: float, loss: float | None) -> None:
        """Remembers a result, of this run or of an earlier one.

        Args:
            configuration: The configuration. One of another space counts as far as this space has
                its hyperparameters and values; the others are imputed, like inactive ones.
            budget: Epochs of the training in total.
            loss: Finite, or None (diverged or failed), which counts as infinite.
        """
        point = self._encoding.encode(configuration)
        if np.isnan(point).all():
            return
        empty = _Observations(np.empty((0, self._dimensions)))
        self._observations.setdefault(budget, empty).add(point, loss)
        self._model = None

    def _modelled_budget(self) -> float | None:
        """The largest budget with enough points for both sides, dimensions + 1 each.

        An earlier run may have had larger budgets. As soon as this run's largest budget has enough
        points it is preferred to those, or else nothing of this run would ever be learnt.
        """
        enough = _needed(self._dimensions)
        budgets = [b for b, seen in self._observations.items() if len(seen.losses) >= enough]
        top = self._ladder.max_budget
        return top if top in budgets else max(budgets, default=None)

    def _fitted(self) -> _Model | None:
        budget = self._modelled_budget()
        if self._model is None and budget is not None:
            self._model = self._fit(self._observations[budget])
        return self._model

    def _fit(self, seen: _Observations) -> _Model:
        count = len(seen.losses)
        good, bad = _split(count, self._dimensions + 1, self._ladder.eta)
        order = np.argsort(seen.losses, kind="stable")
        return _Model(
            self._density(seen.points[order[:good]], count),
            self._density(seen.points[order[good : good + bad]], count),
        )

    def _density(self, points: Floats, count: int) -> KernelDensity:
        choices = self._encoding.choices
        data = _imputed(points, choices, self._random)
        return KernelDensity(data, choices, _least_bandwidths(choices, count))


def _needed(dimensions: int) -> int:
    """Number of results on one budget with which the model begins: d + 1 for either side."""
    return 2 * (dimensions + 1)


def _least_bandwidths(choices: NDArray[np.int64], count: int) -> Floats:
    """The smallest bandwidths (d,), the same for both sides.

    Continuous dimensions have HpBandSter's. In an unordered dimension with c levels, if all
    configurations of a side agree, each other level gets the density 1 / (count + c): Laplace's
    rule of succession over the observations of both sides. With HpBandSter's 0.001 a handful of
    configurations would be evidence of 1000 to 1, and a candidate with a level that the bad side
    lacks would be taken whatever its other values are. (Optuna's TPE mixes in a uniform prior to
    the same end.)

    Args:
        choices: (d,) number of levels of each unordered dimension; 0: continuous.
        count: Number of observations of both sides.
    """
    return np.where(choices > 0, (choices - 1) / (count + choices), MIN_BANDWIDTH)


def _split(count: int, least: int, eta: float) -> tuple[int, int]:
    """Numbers of good and of bad configurations.

    Args:
        count: Number of configurations, at least ``2 * least``.
        least: Smallest number of good ones in HpBandSter: half of the first ``2 * least``.
        eta: One of ``eta`` is promoted; the good ones are no larger a share.
    """
    few = min(least, max(_SPREAD, int(count / eta)))
    good = max(few, GOOD_PERCENT * count // 100)
    return good, max(least, (100 - GOOD_PERCENT) * count // 100)


def _ranking(model: _Model, candidates: Floats) -> NDArray[np.intp]:
    """Indices of the candidates, best first."""
    good, bad = model.good.pdf(candidates), model.bad.pdf(candidates)
    ratio = np.maximum(bad, _MIN_DENSITY) / np.maximum(good, _MIN_DENSITY)
    return np.argsort(ratio, kind="stable")


def _imputed(points: Floats, choices: NDArray[np.int64], random: np.random.Generator) -> Floats:
    """Fills inactive values (NaN) from rows where they are active, or else at random.

    A row takes all its missing values from one other row. If that row lacks some of them, they are
    taken from another one, and so on. This is HpBandSter's ``impute_conditional_data``, column by
    column instead of row by row.
    """
    filled = points.copy()
    while (missing := np.isnan(filled)).any():
        first = np.where(missing.any(axis=1), missing.argmax(axis=1), -1)
        for column in np.unique(first[first >= 0]):
            rows = np.flatnonzero(first == column)
            donors = np.flatnonzero(~np.isnan(points[:, column]))
            if len(donors):
                donor = points[random.choice(donors, size=len(rows))]
                filled[rows] = np.where(missing[rows], donor, filled[rows])
            elif choices[column]:
                filled[rows, column] = random.integers(choices[column], size=len(rows))
            else:
                filled[rows, column] = random.random(len(rows))
    return filled


def outlook(space: ConfigurationSpace, ladder: Ladder) -> str:
    """Says with how many results the model begins, and in which bracket."""
    needed = _needed(len(Encoding(space).choices))
    seen: Counter[float] = Counter()
    for index in itertools.count():
        for rung in hyperband.bracket(ladder, index):
            seen[rung.budget] += rung.trials
        if max(seen.values()) >= needed:
            break
    return (
        f"densities begin with {needed} results on one budget, which come in bracket {index + 1} at"
        " the latest; before that it draws at random"
    )


def build(space: ConfigurationSpace, ladder: Ladder, seed: int) -> BohbKde:
    """Makes the published BOHB with its own random state."""
    return BohbKde(space, ladder, seed)
