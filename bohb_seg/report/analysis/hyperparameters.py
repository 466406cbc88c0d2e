"""Hyperparameters on which the loss depends, looked at one at a time."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import chi2, kruskal

from bohb_seg.report.analysis.budgets import evaluations_by_budget, losses_of
from bohb_seg.report.analysis.records import EvaluationRecord, RunRecord
from bohb_seg.report.wording import bounded, is_number

CHANCE = 0.05
"""Above this probability a dependence is called possible chance."""
GROUPS = 3
"""Numeric hyperparameters are cut into low, middle and high thirds."""
FEW_TRIALS = 8
"""With fewer losses at a budget no dependence is computed."""


@dataclass(frozen=True)
class Influence:
    """Share of the spread of losses that goes with one hyperparameter alone.

    Args:
        values: Value of the hyperparameter in each trial.
        losses: Loss of each trial at ``budget``.
        share: Kruskal-Wallis epsilon squared of the loss ranks between groups of values (choices,
            or thirds of a number), 0..1; None if undefined. It knows no interactions, no cause.
        chance: Probability of this share or more if the hyperparameter did not matter, 0..1.
    """

    name: str
    budget: float
    values: tuple[Any, ...]
    losses: tuple[float, ...]
    share: float | None
    chance: float | None

    @property
    def numeric(self) -> bool:
        """Whether the values are numbers."""
        return all(is_number(value) for value in self.values)


def influences(run: RunRecord) -> tuple[Influence, ...]:
    """Influence of each hyperparameter at the budget with most losses, largest share first."""
    budgets = evaluations_by_budget(run)
    chosen = max(budgets, key=lambda b: (len(losses_of(budgets[b])), b), default=None)
    if chosen is None or len(losses_of(budgets[chosen])) < FEW_TRIALS:
        return ()
    evaluations = [each for each in budgets[chosen] if each.loss is not None]
    names = {name: None for each in evaluations for name in each.attempt.configuration}
    found = [_influence(name, chosen, evaluations) for name in names]
    return tuple(sorted(found, key=lambda each: -(each.share or 0)))


def _influence(name: str, budget: float, evaluations: Iterable[EvaluationRecord]) -> Influence:
    pairs = [
        (each.attempt.configuration[name], each.loss)
        for each in evaluations
        if name in each.attempt.configuration and each.loss is not None
    ]
    values, losses = tuple(value for value, _ in pairs), tuple(loss for _, loss in pairs)
    share, chance = _kruskal(_grouped(values, losses))
    return Influence(name, budget, values, losses, share, chance)


def _grouped(values: Sequence[Any], losses: Sequence[float]) -> list[list[float]]:
    groups: dict[Any, list[float]] = {}
    for key, loss in zip(_keys(values), losses, strict=True):
        groups.setdefault(key, []).append(loss)
    return list(groups.values())


def _keys(values: Sequence[Any]) -> Sequence[Any]:
    """Group of each value: a choice itself, or the third of all values that a number lies in."""
    if len(set(values)) <= GROUPS or not all(is_number(value) for value in values):
        return [str(value) for value in values]
    edges = np.quantile([bounded(value) for value in values], np.arange(1, GROUPS) / GROUPS)
    return [int(key) for key in np.searchsorted(edges, values, side="left")]


def _kruskal(groups: Sequence[Sequence[float]]) -> tuple[float | None, float | None]:
    """Epsilon squared of the ranks, (H - k + 1) / (n - k), and the probability of H.

    Kelley, "An unbiased correlation ratio measure", PNAS 21, 1935; H of Kruskal and Wallis is close
    to chi-squared distributed. Negative shares become 0.
    """
    n, k = sum(map(len, groups)), len(groups)
    distinct = {loss for group in groups for loss in group}
    if k < 2 or n <= k or len(distinct) < 2:
        return None, None
    h = float(kruskal(*groups).statistic)
    return max(0.0, (h - k + 1) / (n - k)), float(chi2.sf(h, k - 1))
