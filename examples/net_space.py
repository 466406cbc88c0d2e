"""What to search for the model of net.py: its width, and how fast it learns."""

from ConfigSpace import ConfigurationSpace, Float, Integer


def space() -> ConfigurationSpace:
    """Two dimensions."""
    space = ConfigurationSpace(name="net")
    space.add(
        Integer("filters", (8, 64), log=True, default=16),
        Float("learning_rate", (1e-4, 1e-2), log=True, default=1e-3),
    )
    return space
