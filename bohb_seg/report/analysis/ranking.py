"""Rank correlations: does the order at a small budget predict the order at a larger one?"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.stats import spearmanr

from bohb_seg.report.analysis.records import RunRecord, by_trial

FEW_PAIRS = 5
"""With fewer common trials a rank correlation is mostly noise, so no advice follows from it."""
GOOD_CORRELATION = 0.7
"""From here on small budgets predict large ones well."""
POOR_CORRELATION = 0.4
"""Below, the order at the small budget says little; eliminations are close to chance."""


@dataclass(frozen=True)
class RankCorrelation:
    """Agreement of the orders of trials at two budgets.

    Args:
        pairs: (loss at the small budget, loss at the large one) of the trials that have both.
        rho: Spearman's rank correlation, -1..1; None with fewer than three pairs or equal losses.
    """

    small: float
    large: float
    pairs: tuple[tuple[float, float], ...]
    rho: float | None


def rank_correlations(run: RunRecord) -> tuple[RankCorrelation, ...]:
    """Correlations of all pairs of budgets that share trials, in order of the budgets."""
    losses = [
        {each.budget: each.loss for each in evaluations if each.loss is not None}
        for evaluations in by_trial(run.finished).values()
    ]
    budgets = sorted({budget for by_budget in losses for budget in by_budget})
    found = (_correlation(small, large, losses) for small, large in combinations(budgets, 2))
    return tuple(each for each in found if each.pairs)


def advice(correlations: Sequence[RankCorrelation]) -> str:
    """Advice for the budgets of the next search."""
    judged = [
        (each.rho, each)
        for each in correlations
        if each.rho is not None and len(each.pairs) >= FEW_PAIRS
    ]
    if not judged:
        return (
            f"No two budgets share at least {FEW_PAIRS} trials. Fewer are too few to say whether"
            " small budgets predict large ones."
        )
    rho, weakest = min(judged, key=lambda each: each[0])
    pair = f"{weakest.small:g} and {weakest.large:g} epochs (rank correlation {rho:.2f})"
    if rho >= GOOD_CORRELATION:
        return (
            f"Small budgets predict large ones well; the weakest pair is {pair}. Keep the budgets."
        )
    if rho >= POOR_CORRELATION:
        return (
            f"Small budgets predict large ones roughly; the weakest pair is {pair}. A higher"
            " --min-budget would lose fewer good configurations, at a higher cost."
        )
    return (
        f"The order of trials at a small budget says little about a larger one: the weakest pair is"
        f" {pair}. Raise --min-budget above {weakest.small:g}: otherwise good configurations are"
        " eliminated by chance."
    )


def _correlation(
    small: float, large: float, losses: Iterable[Mapping[float, float]]
) -> RankCorrelation:
    common = [by_budget for by_budget in losses if {small, large} <= by_budget.keys()]
    pairs = tuple((by_budget[small], by_budget[large]) for by_budget in common)
    return RankCorrelation(small, large, pairs, _spearman(pairs))


def _spearman(pairs: Sequence[tuple[float, float]]) -> float | None:
    if len(pairs) < 3:
        return None
    small, large = np.array(pairs).T
    if np.all(small == small[0]) or np.all(large == large[0]):
        return None
    return float(spearmanr(small, large).statistic)
