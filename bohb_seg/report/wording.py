"""Words that figures, tables and sentences of the report share."""


def in_epochs(budget: float) -> str:
    """A budget with its unit."""
    return f"{budget:g} epoch" if budget == 1 else f"{budget:g} epochs"
