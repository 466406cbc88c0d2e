"""A small space around the U-Net of the Milestone 3 reports (docs/origin.md), for processors.

All configurations have networks of one size, so the duration of a search can be foreseen. The
default configuration is the reports' un-tuned recipe. The space adds what is known to help such a
network: smaller learning rates, a schedule, normalisation and compound losses.
"""

from ConfigSpace import Categorical, ConfigurationSpace, Float, Integer


def space() -> ConfigurationSpace:
    """Six dimensions, none conditional; an epoch takes about as long in all configurations."""
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
