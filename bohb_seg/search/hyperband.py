"""Budgets and rung sizes of Hyperband: arithmetic only, the numbers of HpBandSter 0.7.4.

Two differences, both of floating point. HpBandSter loses a rung where the logarithm comes out just
below a whole number (1..243 at eta 3): we add 1e-9 before truncating. HpBandSter multiplies by a
rounded power (2.9999999999999996 for 27 / 9): we divide by an exact one, so that our budgets equal
its own to 1e-15 and are whole wherever they ought to be. Budgets need not be whole, though: the
training half rounds them to epochs.

Source: Li et al., "Hyperband: A Novel Bandit-Based Approach to Hyperparameter Optimization", JMLR
18 (2018), https://jmlr.org/papers/v18/16-558.html
"""

import math
from dataclasses import dataclass

_ROUNDING = 1e-9
"""Largest rounding error by which a logarithm may fall short of a whole number."""


@dataclass(frozen=True)
class Rung:
    """A budget (epochs in total), and the number of a bracket's trials that see it."""

    budget: float
    trials: int


@dataclass(frozen=True)
class Ladder:
    """The budgets between two bounds, each ``eta`` times the one below.

    Args:
        min_budget: Lower bound in epochs, > 0; the lowest budget may lie above it.
        max_budget: The highest budget in epochs, at least ``min_budget``.
        eta: One of ``eta`` trials is promoted, at least 2.

    Raises:
        ValueError: the bounds are out of order or eta is too small.
    """

    min_budget: float
    max_budget: float
    eta: float = 3

    def __post_init__(self) -> None:
        if not 0 < self.min_budget <= self.max_budget < math.inf:
            raise ValueError(f"no budgets between {self.min_budget} and {self.max_budget}")
        if not 2 <= self.eta < math.inf:
            raise ValueError(f"eta must be at least 2, not {self.eta}")

    @property
    def budgets(self) -> tuple[float, ...]:
        """All budgets in epochs, rising; the last is ``max_budget``."""
        ratio = math.log(self.max_budget / self.min_budget) / math.log(self.eta)
        steps = int(ratio + _ROUNDING)
        return tuple(self.max_budget / self.eta**step for step in range(steps, -1, -1))


def bracket(ladder: Ladder, index: int) -> tuple[Rung, ...]:
    """The rungs of one bracket, from many trials on a small budget to few on the largest.

    Args:
        ladder: All budgets there are.
        index: Running number of the bracket from 0; after one bracket per budget they repeat.
    """
    budgets = ladder.budgets
    promotions = len(budgets) - 1 - index % len(budgets)
    first = int(len(budgets) // (promotions + 1) * ladder.eta**promotions)
    # Multiplying by the rounded power, and truncating, is how HpBandSter counts: do not tidy it up.
    sizes = [max(int(first * ladder.eta ** (-rung)), 1) for rung in range(promotions + 1)]
    return tuple(Rung(*rung) for rung in zip(budgets[-promotions - 1 :], sizes, strict=True))
