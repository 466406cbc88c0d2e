"""Rungs of the brackets, and how many trials each rung promoted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bohb_seg.report.analysis.budgets import count_failed, losses_of, median_loss
from bohb_seg.report.analysis.records import EvaluationRecord, RunRecord, by_trial
from bohb_seg.trials import TrialId


@dataclass(frozen=True)
class RungSummary:
    """One rung of a bracket.

    Args:
        evaluated: Number of evaluations ordered at this budget.
        failed: Number of those that diverged or crashed.
        promoted: Number of trials that went on to a larger budget.
        best: Lowest loss; None without a loss.
        median: Median loss; None without a loss.
    """

    bracket: int
    budget: float
    evaluated: int
    failed: int
    promoted: int
    best: float | None
    median: float | None


def rungs(run: RunRecord) -> tuple[RungSummary, ...]:
    """Summaries of all rungs, ordered by bracket, then by budget."""
    largest = {trial: its[-1].budget for trial, its in by_trial(run.evaluations).items()}
    groups: dict[tuple[int, float], list[EvaluationRecord]] = {}
    for each in run.evaluations:
        groups.setdefault((each.id.trial.bracket, each.budget), []).append(each)
    return tuple(
        _rung(bracket, budget, groups[bracket, budget], largest)
        for bracket, budget in sorted(groups)
    )


def _rung(
    bracket: int,
    budget: float,
    evaluations: Sequence[EvaluationRecord],
    largest: Mapping[TrialId, float],
) -> RungSummary:
    losses = losses_of(evaluations)
    return RungSummary(
        bracket,
        budget,
        evaluated=len(evaluations),
        failed=count_failed(evaluations),
        promoted=sum(largest[each.id.trial] > budget for each in evaluations),
        best=min(losses, default=None),
        median=median_loss(losses),
    )
