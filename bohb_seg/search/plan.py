"""What a run is to do, and when it is enough."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """What is to be done.

    Args:
        n_iterations: Brackets, at least 1.
        max_attempts: Tries of an evaluation that raises, at least 1.
        comparison_epochs: Budget of the comparison; None: there is none, and no runoff.
        comparison_seeds: Retrainings of each arm.
        candidates: So many configurations take part in the runoff at most; 1: there is none.
        max_evaluations: So many are begun by the search at most.
        max_epochs: So many epochs are begun by the search at most.
        target_loss: The search ends when the incumbent is as good as this.
        continuing: Whether a promoted trial goes on from its checkpoint, or begins again.
    """

    n_iterations: int
    max_attempts: int = 3
    comparison_epochs: float | None = None
    comparison_seeds: int = 3
    candidates: int = 3
    max_evaluations: int | None = None
    max_epochs: float | None = None
    target_loss: float | None = None
    continuing: bool = True
