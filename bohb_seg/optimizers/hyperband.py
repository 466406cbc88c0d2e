"""Hyperband: brackets of successive halving, filled at random (Li et al., JMLR 18, 2018)."""

from ConfigSpace import ConfigurationSpace

from bohb_seg.optimizers._prior import Prior
from bohb_seg.search import hyperband
from bohb_seg.search.hyperband import Ladder, Rung
from bohb_seg.trials import Configuration, Suggestion


class Hyperband:
    """Random configurations in Hyperband's rungs; nothing is learnt."""

    def __init__(self, space: ConfigurationSpace, ladder: Ladder, seed: int) -> None:
        self._prior = Prior(space, seed)
        self._ladder = ladder

    def rungs(self, bracket: int) -> tuple[Rung, ...]:
        """Hyperband's rungs."""
        return hyperband.bracket(self._ladder, bracket)

    def suggest(self) -> Suggestion:
        """A random configuration."""
        return self._prior.suggest()

    def observe(self, configuration: Configuration, budget: float, loss: float | None) -> None:
        """Ignores the result."""


def outlook(space: ConfigurationSpace, ladder: Ladder) -> str:
    """There is no model."""
    return "all configurations are drawn at random"


def build(space: ConfigurationSpace, ladder: Ladder, seed: int) -> Hyperband:
    """Makes a Hyperband optimizer with its own random state."""
    return Hyperband(space, ladder, seed)
