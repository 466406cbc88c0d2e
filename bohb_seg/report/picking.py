"""How configurations were picked, and which hyperparameters their losses depend on. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
from scipy.stats import chi2, kruskal

from bohb_seg.report.history import Evaluation, Run
from bohb_seg.report.search import budgets_of, losses_of, same

FEW_PICKS = 3
"""With fewer picks of a kind at a budget their median says nothing."""


@dataclass(frozen=True)
class Picks:
    """Losses at one budget of trials that the model picked and of those drawn at random."""

    budget: float
    model: tuple[float, ...]
    random: tuple[float, ...]


def picks(run: Run) -> tuple[Picks, ...]:
    """Model-based against random picks by budget; a trial counts as it was first picked.

    The default configuration is neither and is left out.
    """
    found = []
    for budget, its in budgets_of(run).items():
        model = [each for each in its if picked_by(run, each) == "model"]
        chance = [each for each in its if picked_by(run, each) == "random"]
        found.append(Picks(budget, losses_of(model), losses_of(chance)))
    return tuple(found)


def picked_by(run: Run, evaluation: Evaluation) -> str:
    """``default``, ``model`` or ``random``."""
    if same(evaluation.attempt.configuration, run.started.default):
        return "default"
    return "model" if evaluation.attempt.model_based else "random"


def picks_sentence(found: Iterable[Picks]) -> str:
    """Says at the largest budget of both whether the model picked better than chance."""
    found = list(found)
    if not any(pick.model for pick in found):
        return (
            "No configuration was picked by the model: it starts once one budget has enough"
            " results (two more than the space has hyperparameters)."
        )
    both = [pick for pick in found if min(len(pick.model), len(pick.random)) >= FEW_PICKS]
    if not both:
        return f"No budget has {FEW_PICKS} picks of each kind, so they cannot be compared yet."
    last = both[-1]
    model, chance = median(last.model), median(last.random)
    word = "lower" if model < chance else "not lower"
    return (
        f"At {last.budget:g} epochs the median loss of the {len(last.model)} model-based picks is"
        f" {model:.4f}, {word} than the {chance:.4f} of the {len(last.random)} random ones."
    )


CHANCE = 0.05
"""A dependence that equal groups show more often than this is called possible chance."""
GROUPS = 3
"""Numeric hyperparameters are cut into low, middle and high thirds."""
FEW_TRIALS = 8
"""Below so many losses at a budget no dependence is computed."""


@dataclass(frozen=True)
class Influence:
    """How much of the spread of losses goes with one hyperparameter alone.

    Args:
        values: The hyperparameter of each trial, losses: its loss at ``budget``.
        share: Kruskal-Wallis epsilon squared of the loss ranks between the groups of values
            (choices, or thirds of a number), 0..1; no interactions, no cause. None if undefined.
        chance: Probability of such a share or more if the hyperparameter did not matter, 0..1.
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
        return all(_is_number(value) for value in self.values)


def influences(run: Run) -> tuple[Influence, ...]:
    """Each hyperparameter's share at the budget with most losses, largest share first."""
    budgets = budgets_of(run)
    chosen = max(budgets, key=lambda b: (len(losses_of(budgets[b])), b), default=None)
    if chosen is None or len(losses_of(budgets[chosen])) < FEW_TRIALS:
        return ()
    found = [each for each in budgets[chosen] if each.loss is not None]
    names = {name: None for each in found for name in each.attempt.configuration}
    all_ = [_influence(name, chosen, found) for name in names]
    return tuple(sorted(all_, key=lambda each: -(each.share or 0)))


def _influence(name: str, budget: float, evaluations: Iterable[Evaluation]) -> Influence:
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
    """Choices stand for themselves, numbers for the third of all values they lie in."""
    if len(set(values)) <= GROUPS or not all(_is_number(value) for value in values):
        return [str(value) for value in values]
    edges = np.quantile(values, np.arange(1, GROUPS) / GROUPS)
    return [int(key) for key in np.searchsorted(edges, values, side="left")]


def _kruskal(groups: Sequence[Sequence[float]]) -> tuple[float | None, float | None]:
    """Epsilon squared (H - k + 1) / (n - k), not below 0, and H's probability by chi squared."""
    n, k = sum(map(len, groups)), len(groups)
    distinct = {loss for group in groups for loss in group}
    if k < 2 or n <= k or len(distinct) < 2:
        return None, None
    h = float(kruskal(*groups).statistic)
    return max(0.0, (h - k + 1) / (n - k)), float(chi2.sf(h, k - 1))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
