"""The interface of an optimizer: it proposes configurations and is told their losses."""

from typing import Protocol, runtime_checkable

from bohb_seg.search.hyperband import Rung
from bohb_seg.trials import Configuration, Suggestion


class Optimizer(Protocol):
    """A search method, as the scheduler uses it."""

    def rungs(self, bracket: int) -> tuple[Rung, ...]:
        """The rungs of a bracket, lowest budget first; ``bracket`` counts from 0."""
        ...

    def suggest(self) -> Suggestion:
        """The next configuration to try."""
        ...

    def observe(self, configuration: Configuration, budget: float, loss: float | None) -> None:
        """Learns from an evaluation, of this run or of an earlier one.

        Args:
            configuration: The configuration. One of another space counts as far as this space has
                its hyperparameters and values.
            budget: Epochs of the training in total.
            loss: Finite, smaller is better; None if the evaluation diverged or failed.
        """
        ...


@runtime_checkable
class Withdrawing(Protocol):
    """An optimizer that keeps in mind what is in training."""

    def withdraw(self, configuration: Configuration) -> None:
        """Forgets a suggestion that will have no result, because it is not trained."""
        ...
