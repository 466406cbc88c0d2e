"""Cost of the phases of a run, in epochs and in time."""

from collections.abc import Sequence
from dataclasses import dataclass

from bohb_seg.report.analysis.records import AttemptRecord, RunRecord
from bohb_seg.report.analysis.workers import WITHOUT_RESULT, total_seconds
from bohb_seg.trials import COMPARISON_BRACKET, FINAL_PHASES


@dataclass(frozen=True)
class Cost:
    """Cost of a phase of the run.

    Args:
        phase: ``search``, a name of ``FINAL_PHASES``, or ``all``.
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
    """Cost of the search, of the comparison, of the other final phases there were, and of all."""
    search = [a for a in run.attempts if a.evaluation.trial.bracket >= 0]
    finals = {
        bracket: [a for a in run.attempts if a.evaluation.trial.bracket == bracket]
        for bracket in FINAL_PHASES
    }
    return (
        _cost("search", search, run.end),
        *(
            _cost(FINAL_PHASES[bracket], its, run.end)
            for bracket, its in finals.items()
            if its or bracket == COMPARISON_BRACKET
        ),
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
