"""BOHB with a Gaussian process in place of its densities: a model from the first bracket.

The published model (``bohb_kde``) needs ``2 (d + 1)`` results on one budget. In a space of 15
dimensions these come in the tenth bracket. A process over configurations *and* budgets (see
``_process``) learns from results on all budgets together, and begins with the first few of them.
Rungs and their decisions are Hyperband's, as before.

A suggestion is the candidate with the largest expected improvement at the largest budget over the
best result there; until that budget was reached, half of the suggestions are random, because small
budgets may mislead. Candidates are random configurations, mutations of the best ones observed, and
mutations of the best candidates. A configuration in training counts as a place about which more
will be known soon, so that workers spread out. A diverged or failed evaluation counts as the worst.

Sources: Falkner, Klein and Hutter, "BOHB", ICML 2018 (the brackets); Klein et al., "Fast Bayesian
Optimization of Machine Learning Hyperparameters on Large Datasets", AISTATS 2017 (a process over
configurations and budgets); Jones, Schonlau and Welch, Journal of Global Optimization 13, 1998
(expected improvement); Ginsbourger, Le Riche and Carraro, "Kriging is well-suited to parallelize
optimization", 2010 (configurations in training).
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
from ConfigSpace import ConfigurationSpace
from ConfigSpace.exceptions import ForbiddenValueError
from numpy.typing import NDArray
from scipy.special import ndtr

from bohb_seg.optimizers._blas import use_one_thread
from bohb_seg.optimizers._encoding import Encoding, Floats
from bohb_seg.optimizers._expectation import Corrected, Expectation, results, weight
from bohb_seg.optimizers._prior import Prior
from bohb_seg.optimizers._process import (
    Fit,
    Kernel,
    Places,
    Posterior,
    embedded,
    joined,
    normal_scores,
    owners_of,
)
from bohb_seg.search import hyperband
from bohb_seg.search.hyperband import Ladder, Rung
from bohb_seg.spaces.formats.configspace import plain
from bohb_seg.trials import Configuration, Observation, Suggestion

RANDOM_FRACTION = 0.1
"""Share of suggestions that are random once something was seen at the largest budget."""
RANDOM_FRACTION_BEFORE = 0.5
"""The same until then: nobody knows yet whether small budgets mislead."""
RANDOM_CANDIDATES = 60
"""Random configurations among the candidates of each suggestion."""
PARENTS = 3
"""Best configurations, which are mutated."""
MUTATIONS = 15
"""Candidates around each of them."""
CHANGED = 0.5
"""Share of their coordinates that is mutated."""
STEP = 0.12
"""Standard deviation by which a mutation moves a number, in [0, 1]."""
GUESSED = 8
"""Random configurations of which the most expected one is tried while nothing is known here; of
more, all would lie in one place."""
ANYWHERE = 300
"""Random configurations over which an expectation is 0 on average."""
ROUNDS = 3
"""How often the best candidates are mutated in turn."""
CLIMBERS, CLIMBS, CLIMBED = 5, 10, 0.2
"""In each round: mutated candidates, mutations of each, and share of the coordinates mutated."""
MOST_FITTED = 150
"""Observations to which parameters are fitted; more would take too long (see benchmarks)."""
MOST_KNOWN = 1000
"""Observations of which the process is told; more would take too long."""

_FEWEST_STEPS, _MOST_STEPS = 3, 20
_ROUNDING = 1e-9
"""Error of the logarithm of a budget."""


class Bohb:
    """The optimizer; it thinks when it is asked, not when it is told."""

    def __init__(self, space: ConfigurationSpace, ladder: Ladder, seed: int) -> None:
        self._ladder = ladder
        self._prior = Prior(space, seed)
        self._encoding = Encoding(space)
        self._owners = owners_of(self._encoding.choices)
        self._random = np.random.default_rng(seed)
        self._points: list[Floats] = []
        self._budgets: list[float] = []
        self._losses: list[float] = []
        self._trials: dict[bytes, int] = {}
        self._in_training: dict[bytes, Floats] = {}
        self._fit = Fit(self._owners)
        self._fitted = 0
        self._expectation: Expectation | None = None

    def rungs(self, bracket: int) -> tuple[Rung, ...]:
        """Hyperband's rungs."""
        return hyperband.bracket(self._ladder, bracket)

    def suggest(self) -> Suggestion:
        """The most promising candidate; in some of the calls a random configuration."""
        has_climbed = max(self._budgets, default=0.0) >= self._ladder.max_budget
        fraction = RANDOM_FRACTION if has_climbed else RANDOM_FRACTION_BEFORE
        knows_enough = len(self._losses) >= _needed(self._encoding)
        picks = self._random.random() >= fraction and (knows_enough or self._expectation)
        suggestion = (self._picked() if picks else None) or self._prior.suggest()
        point = self._encoding.encode(suggestion.configuration)
        self._in_training[point.tobytes()] = point
        return suggestion

    def observe(self, configuration: Configuration, budget: float, loss: float | None) -> None:
        """Remembers a result, of this run or of an earlier one.

        Args:
            configuration: The configuration. One of another space counts as far as this space has
                its hyperparameters and values; the others count as inactive.
            budget: Epochs of the training in total.
            loss: Finite, or None (diverged or failed), which counts as infinite.
        """
        point = self._encoding.encode(configuration)
        if np.isnan(point).all():
            return
        key = point.tobytes()
        self._in_training.pop(key, None)
        self._trials.setdefault(key, len(self._trials))
        self._points.append(point)
        self._budgets.append(budget)
        self._losses.append(math.inf if loss is None else loss)

    def withdraw(self, configuration: Configuration) -> None:
        """Forgets a suggestion that is not trained: nothing more will be known there."""
        self._in_training.pop(self._encoding.encode(configuration).tobytes(), None)

    def expect(self, runs: Sequence[Sequence[Observation]]) -> None:
        """Learns from runs on other data where to begin; see ``_expectation``."""
        ladder = self._ladder
        ratio = max(ladder.max_budget / ladder.min_budget, ladder.eta)
        found = [results(run, self._encoding, ratio) for run in runs]
        anywhere = self._features(self._encoding.points(self._prior.vectors(ANYWHERE)))
        if told := [each for each in found if each]:
            self._expectation = Expectation(told, anywhere, self._owners)

    def _picked(self) -> Suggestion | None:
        """The best candidate; None if all are forbidden."""
        if self._expectation and len(self._losses) < _needed(self._encoding):
            drawn = self._encoding.points(self._prior.vectors(GUESSED))
            expected = self._expectation(self._features(drawn))
            return self._first_legal(drawn[np.argsort(-expected, kind="stable")])
        rows = self._known()
        points, losses = np.array(self._points)[rows], np.array(self._losses)[rows]
        places, values = self._places(points, np.array(self._budgets)[rows]), normal_scores(losses)
        process, best = self._told(places, values), _best(values, places.budgets)

        def gains(candidates: Floats) -> Floats:
            return _expected_improvement(*process.predict(self._unseen(candidates)), best)

        return self._first_legal(self._climbed(gains, points[np.argsort(losses, kind="stable")]))

    def _first_legal(self, candidates: Floats) -> Suggestion | None:
        """The first of the candidates (k, d) that is allowed; None if all are forbidden."""
        for point in candidates:
            try:
                configuration = plain(self._encoding.decode(np.nan_to_num(point)))
            except ForbiddenValueError:
                continue
            return Suggestion(configuration, model_based=True)
        return None

    def _climbed(self, gains: Callable[[Floats], Floats], ranked: Floats) -> Floats:
        """Candidates (k, d), the most promising first.

        Args:
            gains: The gain (n,) that is expected of each of n points.
            ranked: (n, d) observed points, the best first.
        """
        candidates = self._candidates(ranked)
        expected = gains(candidates)
        for _ in range(ROUNDS):
            best = candidates[np.argsort(-expected, kind="stable")[:CLIMBERS]]
            new = self._mutated(np.repeat(best, CLIMBS, axis=0), CLIMBED)
            candidates, expected = np.vstack([candidates, new]), np.append(expected, gains(new))
        climbed: Floats = candidates[np.argsort(-expected, kind="stable")]
        return climbed

    def _known(self) -> NDArray[np.int64]:
        """Rows of which the process is told: if not all, the largest budgets and the latest."""
        latest = np.lexsort((-np.arange(len(self._losses)), -np.array(self._budgets)))
        return np.sort(latest[:MOST_KNOWN])

    def _told(self, places: Places, values: Floats) -> Posterior | Corrected:
        """The process; each new result brings its parameters a few steps further."""
        count = len(self._losses)
        if self._expectation:
            values = values - weight(count) * self._expectation(places.features)
        if count > self._fitted:
            some = _spread_out(places.budgets)
            self._fit.improve(places[some], values[some], _steps(len(some)))
            self._fitted = count
        if self._in_training:
            places = joined(places, self._unseen(np.array(list(self._in_training.values()))))
        process = Posterior(Kernel(self._fit.parameters, self._owners), places, values)
        if self._expectation:
            return Corrected(process, self._expectation, weight(count))
        return process

    def _candidates(self, ranked: Floats) -> Floats:
        """Points (k, d) that may be suggested; NaN where inactive.

        Args:
            ranked: (n, d) observed points, the best first.
        """
        random = self._encoding.points(self._prior.vectors(RANDOM_CANDIDATES))
        parents = np.repeat(_distinct(ranked)[:PARENTS], MUTATIONS, axis=0)
        return np.vstack([random, self._mutated(parents, CHANGED)])

    def _mutated(self, points: Floats, share: float) -> Floats:
        """Points (k, d) with about a share of their coordinates changed, and with one at least."""
        choices, shape = self._encoding.choices, points.shape
        codes = self._random.integers(np.maximum(choices, 1), size=shape)
        anywhere = np.where(choices > 0, codes, self._random.random(shape))
        nearby = np.clip(points + STEP * self._random.standard_normal(shape), 0, 1)
        changed = np.where(choices > 0, anywhere, nearby)
        lots = self._random.random(shape)
        chosen = (lots < share) | (lots == lots.min(axis=1, keepdims=True))
        moved = np.where(chosen, changed, points)
        return self._encoding.legal(np.where(np.isnan(moved), anywhere, moved))

    def _places(self, points: Floats, budgets: Floats) -> Places:
        """Observations of points (n, d) at budgets (n,) in epochs."""
        trials = np.array([self._trials[point.tobytes()] for point in points])
        ladder = self._ladder
        ratio = max(ladder.max_budget / ladder.min_budget, ladder.eta)
        logarithms = 1 + np.log(budgets / ladder.max_budget) / math.log(ratio)
        return Places(embedded(points, self._encoding.choices), logarithms, trials)

    def _features(self, points: Floats) -> Floats:
        return embedded(points, self._encoding.choices)

    def _unseen(self, points: Floats) -> Places:
        """Trials of points (n, d) that have no results yet, at the largest budget."""
        features = self._features(points)
        return Places(features, np.ones(len(points)), -1 - np.arange(len(points)))


def _needed(encoding: Encoding) -> int:
    """Number of results, on whatever budgets, with which the model begins."""
    return 3 + len(encoding.choices) // 2


def _best(values: Floats, budgets: Floats) -> float:
    """The best value at the largest budget reached, without those of earlier runs beyond 1."""
    within = budgets[budgets < 1 + _ROUNDING]
    return float(values[budgets == (within if len(within) else budgets).max()].max())


def _steps(count: int) -> int:
    """How far parameters are fitted to so many results at once: a few milliseconds."""
    return max(_FEWEST_STEPS, min(300 // count, _MOST_STEPS))


def _spread_out(budgets: Floats) -> NDArray[np.int64]:
    """At most ``MOST_FITTED`` rows, of every budget (n,) the same share."""
    rows = np.argsort(budgets, kind="stable")
    count = min(len(rows), MOST_FITTED)
    return rows[np.linspace(0, len(rows) - 1, count).astype(np.int64)]


def _distinct(points: Floats) -> Floats:
    """Points (n, d) without later copies of earlier ones."""
    _, first = np.unique(np.nan_to_num(points, nan=-1.0), axis=0, return_index=True)
    distinct: Floats = points[np.sort(first)]
    return distinct


def _expected_improvement(means: Floats, deviations: Floats, best: float) -> Floats:
    """Expected improvements (k,) over the best value, of normal variables."""
    ahead = (means - best) / deviations
    densities = np.exp(-0.5 * ahead**2) / math.sqrt(2 * math.pi)
    gains: Floats = deviations * (ahead * ndtr(ahead) + densities)
    return gains


def outlook(space: ConfigurationSpace, ladder: Ladder) -> str:
    """Says with how many results the model begins."""
    needed = _needed(Encoding(space))
    return f"a Gaussian process begins with {needed} results; before that it draws at random"


def build(space: ConfigurationSpace, ladder: Ladder, seed: int) -> Bohb:
    """Makes the optimizer with its own random state; the process computes in one thread then."""
    use_one_thread()
    return Bohb(space, ladder, seed)
