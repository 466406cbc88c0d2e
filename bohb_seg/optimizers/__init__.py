"""Optimizers, which propose configurations, one per file with a ``build()``."""

from typing import Any

from ConfigSpace import ConfigurationSpace

from bohb_seg import plugins
from bohb_seg.optimizers._guarded import Guarded
from bohb_seg.search.hyperband import Ladder


def build(spec: str, space: ConfigurationSpace, ladder: Ladder, seed: int) -> Guarded:
    """Makes an optimizer.

    Args:
        spec: A name, or the path of a file with a ``build()``.
        space: The search space.
        ladder: The budgets of the run.
        seed: Source of its randomness.

    Raises:
        UnknownPluginError: there is no such name; lists those that exist.
        PluginError: there is no such file, it is no optimizer, or it fails, now or later.
    """
    return Guarded(plugins.call("optimizers", spec, space, ladder, seed), spec)


def outlook(spec: str, space: ConfigurationSpace, ladder: Ladder) -> str:
    """Says who proposes configurations and, if the optimizer tells, when its model begins.

    Args:
        spec: A name, or the path of a file, which may have an ``outlook(space, ladder)`` besides
            its ``build()``: half a sentence.
        space: The search space.
        ladder: The budgets of the run.

    Raises:
        UnknownPluginError: there is no such name; lists those that exist.
        PluginError: there is no such file, it is no optimizer, or it fails.
    """
    tell: Any = getattr(plugins.find("optimizers", spec), "outlook", None)
    if tell is None:
        return f"optimizer {spec}"
    with plugins.blaming("optimizers", spec):
        told = tell(space, ladder)
    return f"optimizer {spec}: {told}"
