"""The state of a run as people are shown it, in plain values."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from bohb_seg.search.hyperband import Rung
from bohb_seg.trials import Configuration, TrialId

Phase = Literal["search", "runoff", "comparison", "folds", "finished"]


@dataclass(frozen=True)
class Incumbent:
    """The best trial, by its loss at the largest budget on which any finished, or by the runoff.

    Args:
        trial: The trial of the search that reached the loss.
        budget: Epochs at which it reached the loss.
        loss: Loss in the search.
        reevaluations: Its losses in the runoff, one per seed, None where it diverged or failed;
            empty if there was no runoff (yet).
    """

    trial: TrialId
    budget: float
    loss: float
    configuration: Configuration
    model_based: bool
    reevaluations: tuple[float | None, ...] = ()


@dataclass(frozen=True)
class Progress:
    """The state of a run, for display.

    ``bracket`` and ``rung`` are the oldest that are open, or the last ones. Evaluations are counted
    in the present phase; ``evaluations_finished`` holds the failed ones, ``evaluations_failed``
    the diverged ones. ``expected`` assumes that nothing fails and that no limit stops the run;
    after the search it is a largest number, because a runoff or a verdict may be decided before.
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


MOST_COUNTED = 1000
"""Brackets whose rungs are added up; a number of brackets may also mean "until time is over"."""


def expected(
    rungs_of: Callable[[int], tuple[Rung, ...]], brackets: int, continuing: bool
) -> tuple[int, float]:
    """Evaluations and epochs of a whole search in which nothing fails.

    Brackets after the first thousand are taken to be like those on average.

    Args:
        rungs_of: The rungs of a bracket, by its running number.
        brackets: Number of brackets.
        continuing: Whether a promoted trial goes on from its checkpoint, or begins again.
    """
    count, epochs = 0, 0.0
    counted = min(brackets, MOST_COUNTED)
    for bracket in range(counted):
        below = 0.0
        for rung in rungs_of(bracket):
            count += rung.trials
            epochs += rung.trials * (rung.budget - below)
            below = rung.budget if continuing else 0.0
    return count * brackets // counted, epochs * (brackets / counted)
