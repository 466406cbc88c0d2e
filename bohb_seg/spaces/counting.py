"""The space of counting ones, the test problem of the BOHB paper, to try a cluster without data.

Four categorical and four continuous dimensions in [0, 1]; the loss of ``workers/toy.py`` falls with
each of them, so the best configuration is all ones.

Source: Falkner et al., ICML 2018, section 5.1.
"""

from ConfigSpace import Categorical, ConfigurationSpace, Float

DIMENSIONS = 4
"""Number of dimensions of either kind."""


def space() -> ConfigurationSpace:
    """``x0`` .. ``x3`` continuous in [0, 1], ``c0`` .. ``c3`` either 0 or 1."""
    space = ConfigurationSpace(name="counting")
    for index in range(DIMENSIONS):
        space.add(
            Float(f"x{index}", (0.0, 1.0), default=0.5),
            Categorical(f"c{index}", [0, 1], default=0),
        )
    return space
