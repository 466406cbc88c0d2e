"""Optimizers, which propose configurations, one per file with a ``build()``."""

from ConfigSpace import ConfigurationSpace

from bohb_seg import plugins
from bohb_seg.optimizers._guarded import Guarded
from bohb_seg.search.hyperband import Ladder
from bohb_seg.search.optimizer import Optimizer


def build(spec: str, space: ConfigurationSpace, ladder: Ladder, seed: int) -> Optimizer:
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
