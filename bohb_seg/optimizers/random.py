"""Random search: every trial has the largest budget at once.

A bracket has one trial per budget of the ladder, so it costs as much as a bracket of Hyperband.
HpBandSter's RandomSearch counts in the same way, but its number is a quotient of sums, which
rounding may make too small by one.
"""

from ConfigSpace import ConfigurationSpace

from bohb_seg.optimizers._prior import Prior
from bohb_seg.search.hyperband import Ladder, Rung
from bohb_seg.trials import Configuration, Suggestion


class RandomSearch:
    """Random configurations, all on the largest budget; nothing is learnt."""

    def __init__(self, space: ConfigurationSpace, ladder: Ladder, seed: int) -> None:
        self._prior = Prior(space, seed)
        self._ladder = ladder

    def rungs(self, bracket: int) -> tuple[Rung, ...]:
        """One rung, at the largest budget."""
        return (Rung(self._ladder.max_budget, len(self._ladder.budgets)),)

    def suggest(self) -> Suggestion:
        """A random configuration."""
        return self._prior.suggest()

    def observe(self, configuration: Configuration, budget: float, loss: float | None) -> None:
        """Ignores the result."""


def outlook(space: ConfigurationSpace, ladder: Ladder) -> str:
    """There is no model."""
    return "all configurations are drawn at random"


def build(space: ConfigurationSpace, ladder: Ladder, seed: int) -> RandomSearch:
    """Makes a random search with its own random state."""
    return RandomSearch(space, ladder, seed)
