"""BOHB: Hyperband's rungs, filled from densities of good and bad configurations.

Falkner, Klein and Hutter, "BOHB: Robust and Efficient Hyperparameter Optimization at Scale", ICML
2018, https://proceedings.mlr.press/v80/falkner18a.html, as HpBandSter 0.7.4 implements it: same
densities, same suggestions in distribution (both are tested against it), vectorised. Two defects
are mended:

- A categorical value that no configuration of one side has makes a density there infinite or NaN,
  and such a candidate is taken at once. Here densities are finite (see ``_kde``), and what nobody
  has is unlikely, not impossible, to the same degree on both sides (see ``_least_bandwidths``).
- With few observations the good side would be half of them. Here it is at most the share that
  Hyperband promotes (see ``_split``).

Further differences, none of which changes what is suggested:

- our own seeded random state; the model is refitted when it is asked, not at every result;
- what HpBandSter does silently when its model breaks (``except:`` and random search) is an
  exception here;
- a candidate that a forbidden clause rules out gives way to the next best one;
- ordinal hyperparameters are allowed, constants are not modelled (see ``_encoding``);
- observations may come from earlier runs, of other spaces and on other budgets, too.
"""

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

# The published defaults (Falkner et al., section 4.2, and HpBandSter's).
RANDOM_FRACTION = 1 / 3
CANDIDATES = 64
GOOD_PERCENT = 15
BANDWIDTH_FACTOR = 3.0
MIN_BANDWIDTH = 1e-3

_SPREAD = 2
"""A density needs a standard deviation, so there are two good ones at least."""

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
        """Remembers a result, of this run or of an earlier one.

        Args:
            configuration: What was trained. Of another space only what exists here, too, counts;
                the rest is filled in like an inactive hyperparameter.
            budget: Epochs it has seen in total.
            loss: Finite; None (diverged or failed) counts as infinite.
        """
        point = self._encoding.encode(configuration)
        if np.isnan(point).all():
            return
        empty = _Observations(np.empty((0, self._dimensions)))
        self._observations.setdefault(budget, empty).add(point, loss)
        self._model = None

    def _modelled_budget(self) -> float | None:
        """The largest budget with enough points for both sides, dimensions + 1 each.

        An earlier run may have gone beyond this run's largest budget; once that one has a model of
        its own, it decides, or else nothing of this run would ever be learnt.
        """
        enough = 2 * (self._dimensions + 1)
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


def _least_bandwidths(choices: NDArray[np.int64], count: int) -> Floats:
    """The least bandwidths (d,), the same for both sides.

    Continuous: HpBandSter's. Unordered with c levels: where a side agrees, each other level gets
    1 / (count + c), Laplace's rule of succession over the observations of both sides. HpBandSter's
    0.001 would make a handful of configurations evidence of 1000 to 1, and a candidate with a level
    that the bad side lacks would still be taken whatever else it says. (Optuna's TPE mixes a
    uniform prior in to the same end.)

    Args:
        choices: (d,) levels of each unordered dimension; 0: continuous.
        count: Observations of both sides.
    """
    return np.where(choices > 0, (choices - 1) / (count + choices), MIN_BANDWIDTH)


def _split(count: int, least: int, eta: float) -> tuple[int, int]:
    """How many of ``count`` configurations are good, and how many of the others are bad.

    Args:
        count: At least ``2 * least``.
        least: What HpBandSter takes for good at least: half of the first ``2 * least``.
        eta: One of ``eta`` is promoted; a larger share than that is not called good.
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
