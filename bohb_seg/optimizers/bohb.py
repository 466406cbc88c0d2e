"""BOHB as published, by the name that one types (``bohb-kde`` is the same)."""

from ConfigSpace import ConfigurationSpace

from bohb_seg.optimizers import bohb_kde
from bohb_seg.search.hyperband import Ladder


def build(space: ConfigurationSpace, ladder: Ladder, seed: int) -> bohb_kde.Bohb:
    """Makes the optimizer that is best confirmed, so far the published one."""
    return bohb_kde.build(space, ladder, seed)


def outlook(space: ConfigurationSpace, ladder: Ladder) -> str:
    """Says with how many results its model begins."""
    return bohb_kde.outlook(space, ladder)
