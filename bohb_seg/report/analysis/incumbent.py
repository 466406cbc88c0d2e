"""The incumbent, and how the best losses fell with time and epochs spent."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from bohb_seg.report.analysis.averages import mean
from bohb_seg.report.analysis.configuration import same_configuration
from bohb_seg.report.analysis.records import EvaluationRecord, RunRecord
from bohb_seg.trials import TrialId


@dataclass(frozen=True)
class Improvement:
    """A new lowest loss at one budget.

    Args:
        seconds: Time since the start of the run.
        epochs: Epochs trained by the whole search until then.
        new_incumbent: Whether the incumbent of the search changed, too.
    """

    seconds: float
    epochs: float
    budget: float
    loss: float
    trial: TrialId
    new_incumbent: bool


def improvements(run: RunRecord) -> tuple[Improvement, ...]:
    """Every improvement of the lowest loss at its budget, in order of time."""
    lowest: dict[float, float] = {}
    found: list[Improvement] = []
    for evaluation, seconds, epochs in spending(run):
        loss, budget = evaluation.loss, evaluation.budget
        if loss is not None and loss < lowest.get(budget, math.inf):
            lowest[budget] = loss
            largest = budget == max(lowest)
            found.append(Improvement(seconds, epochs, budget, loss, evaluation.id.trial, largest))
    return tuple(found)


def spending(run: RunRecord) -> tuple[tuple[EvaluationRecord, float, float], ...]:
    """Finished evaluations, each with what was spent until its end.

    Returns:
        Evaluation, seconds since the start of the run, and epochs trained by the whole search.
    """
    return tuple(
        (evaluation, (evaluation.attempt.end or 0) - run.begin, epochs)
        for evaluation, epochs in _with_epochs(run)
        if evaluation.loss is not None
    )


def incumbent(run: RunRecord) -> EvaluationRecord | None:
    """The lowest loss at the largest budget finished, the earlier one of equals.

    After a runoff only the evaluations of the winner's configuration take part.
    """
    winner = runoff_winner(run)
    found = [
        each
        for each in run.finished
        if winner is None
        or same_configuration(each.attempt.configuration, winner.attempt.configuration)
    ]
    return min(found, key=lambda each: (-each.budget, each.loss), default=None)


def runoff_winner(run: RunRecord) -> EvaluationRecord | None:
    """One evaluation of the runoff's winner; None before the runoff has ended."""
    if not (run.runoff and run.comparison):
        return None
    if "final_delta" in run.started.settings:  # else the journal does not name the incumbent
        return _again(run, run.compared.incumbent)
    ranks = sorted({each.id.trial.rung for each in run.runoff})
    candidates = [[each for each in run.runoff if each.id.trial.rung == rank] for rank in ranks]
    return min(candidates, key=_mean_loss)[0]


def _again(run: RunRecord, chosen: TrialId | None) -> EvaluationRecord | None:
    """One evaluation in the runoff of the incumbent that was chosen."""
    configurations = [e.attempt.configuration for e in run.finished if e.id.trial == chosen]
    return next(
        (
            each
            for each in run.runoff
            if configurations and same_configuration(each.attempt.configuration, configurations[0])
        ),
        None,
    )


def _mean_loss(evaluations: Iterable[EvaluationRecord]) -> float:
    """Mean of the losses; infinite if one is missing."""
    losses = [each.loss for each in evaluations]
    known = [loss for loss in losses if loss is not None]
    return mean(known) if len(known) == len(losses) else math.inf


def _with_epochs(run: RunRecord) -> Iterable[tuple[EvaluationRecord, float]]:
    """Evaluations in order of their end, with the epochs that the search had trained by then."""
    ended = [each for each in run.evaluations if each.attempt.end is not None]
    epochs = 0.0
    for each in sorted(ended, key=lambda each: each.attempt.end or 0):
        epochs += each.attempt.epochs_trained
        yield each, epochs
