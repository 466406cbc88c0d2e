"""Words and checks that analysis, figures, tables and sections share."""

import math
from typing import Any

FARTHEST = 1e100
"""Numbers from here on stand for "bad", as people write it: they are drawn at the edge of an axis,
and computed with as if they were this one, so that their squares fit into a float."""
LONGEST = 1e6
"""From here on a number is shown in powers of ten."""


def in_epochs(budget: float) -> str:
    """A budget with its unit."""
    return f"{budget:g} epoch" if budget == 1 else f"{budget:g} epochs"


def bounded(value: float) -> float:
    """A number, or ``FARTHEST`` with its sign if it lies beyond."""
    return max(-FARTHEST, min(FARTHEST, value))


def decimals(value: float, places: int = 4) -> str:
    """A number with so many decimals; a huge one in powers of ten."""
    return f"{value:.{places}f}" if abs(value) < LONGEST else f"{value:.{places}g}"


def is_number(value: Any) -> bool:
    """Whether a value is a number that fits into a float; truth values are none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False
