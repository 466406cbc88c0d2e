"""The counting space with evaluations that take a moment, so that there is time to disturb them."""

import ConfigSpace as CS  # noqa: N817


def space() -> CS.ConfigurationSpace:
    found = CS.ConfigurationSpace()
    found.add(CS.Float("x0", (0.0, 1.0)), CS.Categorical("c0", [0, 1]), CS.Constant("sleep", 0.05))
    return found
