"""Expectations of configurations from runs on other data: a mean that fades.

A process (see ``_process``) is told the results of each earlier run by their ranks in that run,
because losses of other data are on another scale. Its mean at the largest budget, less its average
over the space, is what to expect. Of the expectations of several runs the average counts. Our own
process then learns only how results differ from ``w`` times what was expected, with

    w = 10 / (10 + n)

after n results of our own: one half after 10, a tenth after 90. Before the process begins, the best
expected of a few random configurations is tried. So an expectation decides where a search begins,
and a wrong one is forgotten.

A hyperparameter that the earlier run did not have says nothing. Ranks are those over all budgets of
a run together, as for our own results: within one rung that others were eliminated from, a
survivor that comes last would count as bad.

Sources: Golovin et al., "Google Vizier", KDD 2017, section 3.3 (a process for what the one of
earlier studies leaves over; its weight falls with the number of results); Feurer, Letham and
Bakshy, "Scalable Meta-Learning for Bayesian Optimization", 2018, which OpenBox has (ranks, because
scales differ); Mallik et al., "PriorBand", NeurIPS 2023, which NePS has (random draws beside the
prior until it has proved itself).
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bohb_seg.optimizers._encoding import Encoding, Floats
from bohb_seg.optimizers._process import (
    Fit,
    Kernel,
    Places,
    Posterior,
    embedded,
    normal_scores,
)
from bohb_seg.trials import Observation

MOST_KNOWN = 200
"""Results of an earlier run that are used, those at the largest budgets first."""
STEPS = 40
"""Steps by which the parameters of an earlier run's process are fitted, once."""
HALF = 10
"""Own results after which half of the expectation counts."""


def results(
    run: Sequence[Observation], encoding: Encoding, ratio: float
) -> tuple[Places, Floats] | None:
    """Places and losses (n,) of an earlier run; None if this space has nothing of it.

    Args:
        run: Its observations.
        encoding: That of our space.
        ratio: Our largest budget divided by the smallest.
    """
    latest = sorted(run, key=lambda each: -each.budget)[:MOST_KNOWN]
    told = [(encoding.encode(each.configuration), each) for each in latest]
    told = [(point, each) for point, each in told if not np.isnan(point).all()]
    if not told:
        return None
    points = np.array([point for point, _ in told])
    numbers: dict[bytes, int] = {}
    trials = np.array([numbers.setdefault(point.tobytes(), len(numbers)) for point, _ in told])
    budgets = np.array([each.budget for _, each in told])
    logarithms = 1 + np.log(budgets / budgets.max()) / math.log(ratio)
    losses = np.array([math.inf if each.loss is None else each.loss for _, each in told])
    return Places(embedded(points, encoding.choices), logarithms, trials), losses


class Expectation:
    """Expected values of configurations, from earlier runs.

    Args:
        runs: Places and losses (n,) of each run, infinite where a training diverged.
        anywhere: (k, m) features of random configurations.
        owners: (m,) dimension that each feature belongs to.
    """

    def __init__(
        self,
        runs: Sequence[tuple[Places, Floats]],
        anywhere: Floats,
        owners: NDArray[np.int64],
    ) -> None:
        self._processes = [_process(*run, owners) for run in runs]
        # An inactive hyperparameter lies at zero, and so does one that no result of a run has.
        self._known = [
            np.bincount(owners, places.features.any(axis=0))[owners] > 0 for places, _ in runs
        ]
        self._average = 0.0
        self._average = float(self(anywhere).mean())

    def __call__(self, features: Floats) -> Floats:
        """Expected values (n,) of configurations (n, m) at the largest budget; 0 on average."""
        count = len(features)
        means = [
            process.predict(Places(features * known, np.ones(count), -1 - np.arange(count)))[0]
            for process, known in zip(self._processes, self._known, strict=True)
        ]
        expected: Floats = np.mean(means, axis=0) - self._average
        return expected


class Corrected:
    """A process that was told how results differ from a share of what was expected.

    Args:
        process: The process.
        expectation: What was expected.
        weight: The share.
    """

    def __init__(self, process: Posterior, expectation: Expectation, weight: float) -> None:
        self._process, self._expectation, self._weight = process, expectation, weight

    def predict(self, places: Places) -> tuple[Floats, Floats]:
        """Means (k,) and standard deviations (k,) of values without luck and noise."""
        means, deviations = self._process.predict(places)
        return means + self._weight * self._expectation(places.features), deviations


def weight(count: int) -> float:
    """Share of an expectation that counts beside so many results of one's own."""
    return HALF / (HALF + count)


def _process(places: Places, losses: Floats, owners: NDArray[np.int64]) -> Posterior:
    values = normal_scores(losses)
    fit = Fit(owners)
    fit.improve(places, values, STEPS)
    return Posterior(Kernel(fit.parameters, owners), places, values)
