"""What the search found: incumbents, losses by budget, rungs and promotions. Pure."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any

from bohb_seg.report.history import Evaluation, Run, trials
from bohb_seg.trials import Configuration, TrialId


@dataclass(frozen=True)
class Step:
    """The best loss at one budget changed.

    Args:
        seconds: Since the start of the run.
        epochs: Trained by the whole search until then.
        incumbent: Whether the run's incumbent changed, too.
    """

    seconds: float
    epochs: float
    budget: float
    loss: float
    trial: TrialId
    incumbent: bool


def steps(run: Run) -> tuple[Step, ...]:
    """Every improvement of the best loss at its budget, in order of time."""
    best: dict[float, float] = {}
    found: list[Step] = []
    for evaluation, epochs in _with_epochs(run):
        loss, budget = evaluation.loss, evaluation.budget
        if loss is not None and loss < best.get(budget, math.inf):
            best[budget] = loss
            since = (evaluation.attempt.end or 0) - run.begin
            largest = budget == max(best)
            found.append(Step(since, epochs, budget, loss, evaluation.id.trial, largest))
    return tuple(found)


def spending(run: Run) -> tuple[tuple[Evaluation, float, float], ...]:
    """Each finished evaluation with seconds since the start and epochs trained until its end."""
    return tuple(
        (evaluation, (evaluation.attempt.end or 0) - run.begin, epochs)
        for evaluation, epochs in _with_epochs(run)
        if evaluation.loss is not None
    )


def incumbent(run: Run) -> Evaluation | None:
    """The lowest loss at the largest budget finished, the earlier one of equals.

    Once there was a runoff: the same among the evaluations of the configuration that won it.
    """
    chosen = runoff_winner(run)
    found = [
        each
        for each in run.finished
        if chosen is None or same(each.attempt.configuration, chosen.attempt.configuration)
    ]
    return min(found, key=lambda each: (-each.budget, each.loss), default=None)


def runoff_winner(run: Run) -> Evaluation | None:
    """One evaluation of the runoff's winner; None before the runoff has ended."""
    if not (run.runoff and run.comparison):
        return None
    ranks = sorted({each.id.trial.rung for each in run.runoff})
    arms = [[each for each in run.runoff if each.id.trial.rung == rank] for rank in ranks]
    return min(arms, key=lambda its: fmean(math.inf if e.loss is None else e.loss for e in its))[0]


def middle(losses: Sequence[float]) -> float | None:
    """The median; None without losses."""
    return median(losses) if losses else None


def same(one: Configuration, other: Configuration) -> bool:
    """Whether two configurations are equal, up to rounding of floats on their way."""
    return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)


@dataclass(frozen=True)
class BudgetSummary:
    """The losses at one budget; ``failed`` counts diverged and crashed evaluations."""

    budget: float
    losses: tuple[float, ...]
    failed: int


def by_budget(run: Run) -> tuple[BudgetSummary, ...]:
    """Losses by budget, budgets rising."""
    return tuple(
        BudgetSummary(budget, losses_of(its), _failed(its))
        for budget, its in budgets_of(run).items()
    )


@dataclass(frozen=True)
class RungSummary:
    """One rung of a bracket: what was evaluated, what went on to a larger budget.

    Args:
        evaluated: Evaluations ordered at this budget; failed: diverged or crashed ones.
    """

    bracket: int
    budget: float
    evaluated: int
    failed: int
    promoted: int
    best: float | None
    median: float | None


def rungs(run: Run) -> tuple[RungSummary, ...]:
    """All rungs, brackets first, then budgets."""
    largest = {trial: its[-1].budget for trial, its in trials(run.evaluations).items()}
    groups: dict[tuple[int, float], list[Evaluation]] = {}
    for each in run.evaluations:
        groups.setdefault((each.id.trial.bracket, each.budget), []).append(each)
    return tuple(
        _rung(bracket, budget, groups[bracket, budget], largest)
        for bracket, budget in sorted(groups)
    )


def _rung(
    bracket: int, budget: float, its: Sequence[Evaluation], largest: Mapping[TrialId, float]
) -> RungSummary:
    losses = losses_of(its)
    return RungSummary(
        bracket,
        budget,
        evaluated=len(its),
        failed=_failed(its),
        promoted=sum(largest[each.id.trial] > budget for each in its),
        best=min(losses, default=None),
        median=middle(losses),
    )


def _with_epochs(run: Run) -> Iterable[tuple[Evaluation, float]]:
    ended = [each for each in run.evaluations if each.attempt.end is not None]
    epochs = 0.0
    for each in sorted(ended, key=lambda each: each.attempt.end or 0):
        epochs += each.attempt.epochs_trained
        yield each, epochs


def budgets_of(run: Run) -> dict[float, list[Evaluation]]:
    """The evaluations of the search by budget, budgets rising."""
    budgets = sorted({each.budget for each in run.evaluations})
    return {budget: [e for e in run.evaluations if e.budget == budget] for budget in budgets}


def losses_of(evaluations: Iterable[Evaluation]) -> tuple[float, ...]:
    """The losses there are."""
    return tuple(each.loss for each in evaluations if each.loss is not None)


def _failed(evaluations: Iterable[Evaluation]) -> int:
    return sum(each.attempt.fate in ("diverged", "crashed") for each in evaluations)


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-9)
    return bool(one == other)
