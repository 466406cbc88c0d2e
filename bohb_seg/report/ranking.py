"""Whether the order of trials at a small budget foretells their order at a larger one. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import spearmanr

from bohb_seg.report.history import Run, trials

FEW_PAIRS = 5
"""Below so many common trials a rank correlation is noise and gets no advice."""
GOOD_CORRELATION = 0.7
POOR_CORRELATION = 0.4


@dataclass(frozen=True)
class RankCorrelation:
    """How well the order at a small budget foretells the order at a larger one.

    Args:
        pairs: (loss at small, loss at large) of the trials that have both.
        rho: Spearman's rank correlation, -1..1; None with fewer than three pairs or equal losses.
    """

    small: float
    large: float
    pairs: tuple[tuple[float, float], ...]
    rho: float | None


def rank_correlations(run: Run) -> tuple[RankCorrelation, ...]:
    """For each two budgets that share trials, in order of the budgets."""
    losses = {
        trial: {each.budget: each.loss for each in its if each.loss is not None}
        for trial, its in trials(run.finished).items()
    }
    budgets = sorted({budget for its in losses.values() for budget in its})
    found = []
    for index, small in enumerate(budgets):
        for large in budgets[index + 1 :]:
            common = [own for own in losses.values() if {small, large} <= own.keys()]
            pairs = tuple((own[small], own[large]) for own in common)
            if pairs:
                found.append(RankCorrelation(small, large, pairs, _spearman(pairs)))
    return tuple(found)


def advice(correlations: Sequence[RankCorrelation]) -> str:
    """One sentence on what the rank correlations mean for the next search's budgets."""
    judged = [
        (each.rho, each)
        for each in correlations
        if each.rho is not None and len(each.pairs) >= FEW_PAIRS
    ]
    if not judged:
        return (
            f"No two budgets share at least {FEW_PAIRS} trials, which is too few to say whether"
            " small budgets foretell large ones."
        )
    rho, worst = min(judged, key=lambda each: each[0])
    pair = f"{worst.small:g} and {worst.large:g} epochs (rank correlation {rho:.2f})"
    if rho >= GOOD_CORRELATION:
        return f"Small budgets foretell large ones well, least so {pair}: keep the budgets."
    if rho >= POOR_CORRELATION:
        return (
            f"Small budgets foretell large ones roughly, least so {pair}: a higher --min-budget"
            " would lose fewer good configurations, at a higher cost."
        )
    return (
        f"The order at a small budget says little about a larger one between {pair}: raise"
        f" --min-budget above {worst.small:g}, or good configurations are eliminated by chance."
    )


def _spearman(pairs: Sequence[tuple[float, float]]) -> float | None:
    small, large = np.array(pairs).T
    if len(pairs) < 3 or np.ptp(small) == 0 or np.ptp(large) == 0:
        return None
    return float(spearmanr(small, large).statistic)
