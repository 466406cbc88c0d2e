"""Words and checks that analysis, figures, tables and sections share."""

from typing import Any


def in_epochs(budget: float) -> str:
    """A budget with its unit."""
    return f"{budget:g} epoch" if budget == 1 else f"{budget:g} epochs"


def is_number(value: Any) -> bool:
    """Whether a value is a number; truth values are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)
