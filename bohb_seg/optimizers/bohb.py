"""BOHB: Hyperband's rungs, filled from densities of good and bad configurations.

Falkner, Klein and Hutter, "BOHB: Robust and Efficient Hyperparameter Optimization at Scale", ICML
2018, https://proceedings.mlr.press/v80/falkner18a.html, as HpBandSter 0.7.4 implements it: same
densities, same suggestions in distribution (both are tested against it), vectorised. Differences:

- our own seeded random state; the model is refitted when it is asked, not at every result;
- what HpBandSter does silently when its model breaks (``except:`` and random search) is an
  exception here;
- a candidate that a forbidden clause rules out gives way to the next best one;
- ordinal hyperparameters are allowed, constants are not modelled (see ``_encoding``).

Infinite densities, at a categorical value no configuration of one side has, are treated as there:
only the bad side lacks it: taken at once; only the good side: preferred; both: never taken.
"""

from dataclasses import dataclass, field

import numpy as np
from ConfigSpace import ConfigurationSpace
from ConfigSpace.exceptions import ForbiddenValueError
from numpy.typing import NDArray

from bohb_seg import hyperband
from bohb_seg.hyperband import Ladder, Rung
from bohb_seg.optimizers._encoding import Encoding, Floats
from bohb_seg.optimizers._kde import KernelDensity
from bohb_seg.optimizers._prior import Prior
from bohb_seg.spaces import plain
from bohb_seg.trials import Configuration, Suggestion

# The published defaults (Falkner et al., section 4.2, and HpBandSter's).
RANDOM_FRACTION = 1 / 3
CANDIDATES = 64
GOOD_PERCENT = 15
BANDWIDTH_FACTOR = 3.0
MIN_BANDWIDTH = 1e-3

_MIN_DENSITY = 1e-32
"""Densities below it do not differ: HpBandSter's guard against dividing by zero."""


@dataclass
class _Observations:
    """What was seen on one budget: points (n, d) with NaN where inactive, losses (n,)."""

    points: Floats
    losses: list[float] = field(default_factory=list)

    def add(self, point: Floats, loss: float | None) -> None:
        self.points = np.vstack([self.points, point])
        self.losses.append(np.inf if loss is None else loss)


@dataclass(frozen=True)
class _Model:
    good: KernelDensity
    bad: KernelDensity


class Bohb:
    """The optimizer; ``suggest`` takes about a millisecond at 1,000 observations."""

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
        """The most promising of 64 candidates; a third of the time a random configuration."""
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
        """Remembers a result, unless a larger budget has a model already.

        Args:
            configuration: What was trained.
            budget: Epochs it has seen in total.
            loss: Finite; None (diverged or failed) counts as infinite.
        """
        modelled = self._modelled_budget()
        if modelled is not None and budget < modelled:
            return
        empty = _Observations(np.empty((0, self._dimensions)))
        self._observations.setdefault(budget, empty).add(self._encoding.encode(configuration), loss)
        self._model = None

    def _modelled_budget(self) -> float | None:
        """The largest budget with enough points for both sides, dimensions + 1 each."""
        enough = 2 * (self._dimensions + 1)
        budgets = [b for b, seen in self._observations.items() if len(seen.losses) >= enough]
        return max(budgets, default=None)

    def _fitted(self) -> _Model | None:
        budget = self._modelled_budget()
        if self._model is None and budget is not None:
            self._model = self._fit(self._observations[budget])
        return self._model

    def _fit(self, seen: _Observations) -> _Model:
        count, least = len(seen.losses), self._dimensions + 1
        good = max(least, GOOD_PERCENT * count // 100)
        bad = max(least, (100 - GOOD_PERCENT) * count // 100)
        order = np.argsort(seen.losses, kind="stable")
        return _Model(
            self._density(seen.points[order[:good]]),
            self._density(seen.points[order[good : good + bad]]),
        )

    def _density(self, points: Floats) -> KernelDensity:
        choices = self._encoding.choices
        return KernelDensity(_imputed(points, choices, self._random), choices, MIN_BANDWIDTH)


def _ranking(model: _Model, candidates: Floats) -> list[int]:
    """Indices of the candidates that may be taken, best first."""
    good, bad = model.good.pdf(candidates), model.bad.pdf(candidates)
    at_once = np.isinf(bad) & np.isfinite(good)
    comparable = np.flatnonzero(np.isfinite(bad))
    ratio = np.maximum(bad, _MIN_DENSITY)[comparable] / np.maximum(good, _MIN_DENSITY)[comparable]
    ranked = comparable[np.argsort(ratio, kind="stable")]
    return [*np.flatnonzero(at_once).tolist(), *ranked.tolist()]


def _imputed(points: Floats, choices: NDArray[np.int64], random: np.random.Generator) -> Floats:
    """Fills inactive values (NaN) from rows where they are active, at random if there are none.

    A row takes all its missing values from one other row, which may lack some itself: then again.
    HpBandSter's ``impute_conditional_data``, column by column instead of row by row.
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


def build(space: ConfigurationSpace, ladder: Ladder, seed: int) -> Bohb:
    """A BOHB optimizer with its own random state."""
    return Bohb(space, ladder, seed)
