"""One network size, so that a search on processors ends when expected: the reports' U-Net.

Around the reports' un-tuned recipe, which is the default configuration, lies what is known to help
such a network: smaller learning rates, a schedule, normalisation, compound losses.
"""

from ConfigSpace import Categorical, ConfigurationSpace, Float, Integer


def space() -> ConfigurationSpace:
    """Six dimensions, none conditional; none changes how long an epoch takes by much."""
    space = ConfigurationSpace(name="quick")
    space.add(
        Float("learning_rate", (3e-4, 1e-2), log=True, default=7e-3),
        Categorical("schedule", ["constant", "cosine"], default="constant"),
        Integer("batch_size", (4, 32), log=True, default=16),
        Categorical("norm", ["none", "batch"], default="none"),
        Categorical("activation", ["relu", "swish", "leaky_relu"], default="relu"),
        Categorical("loss", ["reports", "dice+ce", "ce"], default="reports"),
    )
    return space
