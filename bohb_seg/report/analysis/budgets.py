"""Losses of the search by budget."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bohb_seg.report.analysis.averages import median
from bohb_seg.report.analysis.records import EvaluationRecord, RunRecord


@dataclass(frozen=True)
class BudgetSummary:
    """Losses at one budget; ``failed`` counts diverged and crashed evaluations."""

    budget: float
    losses: tuple[float, ...]
    failed: int


def by_budget(run: RunRecord) -> tuple[BudgetSummary, ...]:
    """Summaries of all budgets, in rising order."""
    return tuple(
        BudgetSummary(budget, losses_of(its), count_failed(its))
        for budget, its in evaluations_by_budget(run).items()
    )


def evaluations_by_budget(run: RunRecord) -> dict[float, list[EvaluationRecord]]:
    """Evaluations of the search by budget, budgets in rising order."""
    found: dict[float, list[EvaluationRecord]] = {}
    for each in run.evaluations:
        found.setdefault(each.budget, []).append(each)
    return dict(sorted(found.items()))


def losses_of(evaluations: Iterable[EvaluationRecord]) -> tuple[float, ...]:
    """Losses of those evaluations that have one."""
    return tuple(each.loss for each in evaluations if each.loss is not None)


def count_failed(evaluations: Iterable[EvaluationRecord]) -> int:
    """Number of evaluations that diverged or crashed."""
    return sum(each.attempt.fate in ("diverged", "crashed") for each in evaluations)


def median_loss(losses: Sequence[float]) -> float | None:
    """Median of losses; None without any."""
    return median(losses) if losses else None
