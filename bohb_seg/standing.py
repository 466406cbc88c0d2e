"""Where a run stands: what people are shown of it, as plain values."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from bohb_seg.hyperband import Rung
from bohb_seg.trials import Configuration, TrialId

Phase = Literal["search", "comparison", "finished"]


@dataclass(frozen=True)
class Incumbent:
    """The trial with the lowest loss at the largest budget on which any finished."""

    trial: TrialId
    budget: float
    loss: float
    configuration: Configuration
    model_based: bool


@dataclass(frozen=True)
class Progress:
    """Where the run is, for display.

    ``bracket`` and ``rung`` are the oldest that are open, or the last ones. Evaluations are counted
    in the present phase; ``evaluations_finished`` holds the failed ones, ``evaluations_failed``
    the diverged ones. ``expected`` assumes that nothing fails and that no limit stops the run.
    Workers that still are at an evaluation that another one settled are busy, but run nothing.
    """

    phase: Phase
    bracket: int
    rung: int
    evaluations_finished: int
    evaluations_failed: int
    evaluations_running: int
    evaluations_waiting: int
    evaluations_expected: int
    epochs_done: float
    epochs_expected: float
    workers_idle: int
    workers_busy: int
    incumbent: Incumbent | None


def expected(brackets: Iterable[tuple[Rung, ...]]) -> tuple[int, float]:
    """Evaluations and epochs of a whole search in which nothing fails."""
    count, epochs = 0, 0.0
    for rungs in brackets:
        below = 0.0
        for rung in rungs:
            count += rung.trials
            epochs += rung.trials * (rung.budget - below)
            below = rung.budget
    return count, epochs
