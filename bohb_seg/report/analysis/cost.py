"""Cost of the phases of a run, in epochs and in time."""

from collections.abc import Sequence
from dataclasses import dataclass

from bohb_seg.report.analysis.records import AttemptRecord, RunRecord
from bohb_seg.report.analysis.workers import WITHOUT_RESULT, total_seconds
from bohb_seg.trials import COMPARISON_BRACKET, RUNOFF_BRACKET


@dataclass(frozen=True)
class Cost:
    """Cost of a phase of the run.

    Args:
        phase: ``search``, ``runoff``, ``comparison`` or ``all``.
        epochs: Epochs really trained, by attempts that reported.
        hours: Hours of workers, summed over all attempts, also lost and failed ones.
        wasted_hours: The part of ``hours`` in attempts that gave no result.
        wall_hours: Hours from the first order to the last result.
    """

    phase: str
    evaluations: int
    attempts: int
    epochs: float
    hours: float
    wasted_hours: float
    wall_hours: float


def costs(run: RunRecord) -> tuple[Cost, ...]:
    """Cost of the search, of the runoff if there was one, of the comparison and of all."""
    comparison = [a for a in run.attempts if a.evaluation.trial.bracket == COMPARISON_BRACKET]
    runoff = [a for a in run.attempts if a.evaluation.trial.bracket == RUNOFF_BRACKET]
    search = [a for a in run.attempts if a.evaluation.trial.bracket >= 0]
    return (
        _cost("search", search, run.end),
        *([_cost("runoff", runoff, run.end)] if runoff else []),
        _cost("comparison", comparison, run.end),
        _cost("all", run.attempts, run.end),
    )


def _cost(phase: str, attempts: Sequence[AttemptRecord], now: float) -> Cost:
    ends = [each.end or now for each in attempts]
    starts = [each.start for each in attempts]
    wasted = [each for each in attempts if each.fate in WITHOUT_RESULT]
    return Cost(
        phase,
        evaluations=len({each.evaluation for each in attempts}),
        attempts=len(attempts),
        epochs=sum(each.epochs_trained for each in attempts),
        hours=total_seconds(attempts, now) / 3600,
        wasted_hours=total_seconds(wasted, now) / 3600,
        wall_hours=(max(ends) - min(starts)) / 3600 if attempts else 0.0,
    )
