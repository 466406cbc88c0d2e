"""The space of the HyperBand report of Milestone 3 (docs/origin.md).

Batch size, learning rate of Adam and activation.
"""

from ConfigSpace import Categorical, ConfigurationSpace, Float, Integer


def space() -> ConfigurationSpace:
    """Three dimensions; the defaults are the report's un-tuned values."""
    space = ConfigurationSpace(name="milestone3-hyperband")
    space.add(
        Integer("batch_size", (1, 32), default=16),
        Float("learning_rate", (1e-4, 1e-1), log=True, default=0.007),
        Categorical("activation", ["relu", "tanh", "swish", "none"], default="relu"),
    )
    return space
