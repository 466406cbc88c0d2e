"""The plan of a run: its size, its limits, its comparison.

A plan may change while a run goes on, and after its end. The first plan follows from the settings;
each change is news (``events.PlanChanged``) and lies in the journal.
"""

from dataclasses import dataclass

from bohb_seg.trials import Configuration


@dataclass(frozen=True)
class Plan:
    """Size and limits of a run.

    Args:
        n_iterations: Brackets, at least 1.
        max_attempts: Tries of an evaluation that raises, at least 1.
        comparison_epochs: Budget of the comparison; None: there is none, and no runoff.
        comparison_seeds: Largest number of retrainings of each arm.
        folds: The arms are retrained on so many folds, too, at least 2; 0: they are not.
        delta: Difference in mIoU, or in the loss, below which two recipes count as equivalent.
        candidates: Largest number of configurations in the runoff; 1: there is no runoff.
        max_evaluations: Largest number of evaluations that the search starts.
        max_epochs: Largest number of epochs that the search starts.
        target_loss: The search ends when the incumbent is as good as this.
        continuing: Whether a promoted trial goes on from its checkpoint, or begins again.
        adaptive: Whether results say how many seeds runoff and comparison take, up to their limits;
            runs of earlier versions take all that were planned.
        first: Configurations that the search tries before any other; none: the default.
    """

    n_iterations: int
    max_attempts: int = 3
    comparison_epochs: float | None = None
    comparison_seeds: int = 3
    folds: int = 0
    delta: float = 0.01
    candidates: int = 3
    max_evaluations: int | None = None
    max_epochs: float | None = None
    target_loss: float | None = None
    continuing: bool = True
    adaptive: bool = False
    first: tuple[Configuration, ...] = ()
