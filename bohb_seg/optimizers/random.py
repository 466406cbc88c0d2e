"""Random search: every trial sees the largest budget at once.

A bracket holds one trial per budget of the ladder, so that it costs what a bracket of Hyperband
costs; this is how HpBandSter's RandomSearch counts. (There the number is a quotient of sums and may
fall short by one through rounding; ours does not.)
"""

from ConfigSpace import ConfigurationSpace

from bohb_seg.optimizers._prior import Prior
from bohb_seg.search.hyperband import Ladder, Rung
from bohb_seg.trials import Configuration, Suggestion


class RandomSearch:
    """Learns nothing and eliminates nothing."""

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
        """Nothing is learnt."""


def build(space: ConfigurationSpace, ladder: Ladder, seed: int) -> RandomSearch:
    """A random search with its own random state."""
    return RandomSearch(space, ladder, seed)
