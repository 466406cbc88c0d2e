"""A space with branches, as recipes for segmentation have them: half of it is inactive at a time.

SGD is better than Adam in the end, with its own learning rate and much momentum, and slower; of the
compound losses each has a number of its own. The constants are made up.
"""

import math

from ConfigSpace import Categorical, ConfigurationSpace, EqualsCondition, Float

from benchmarks.search.problems import MAX_EPOCHS, Configuration
from benchmarks.search.problems.curves import Curves, never

_LOSSES = {"ce": 0.03, "ce+dice": 0.0, "focal": 0.01}


def _space() -> ConfigurationSpace:
    space = ConfigurationSpace()
    optimizer = Categorical("optimizer", ["adam", "sgd"])
    loss = Categorical("loss", list(_LOSSES))
    children = (
        (Float("adam_rate", (1e-5, 1e-1), log=True), optimizer, "adam"),
        (Float("sgd_rate", (1e-4, 1.0), log=True), optimizer, "sgd"),
        (Float("momentum", (0.0, 0.99)), optimizer, "sgd"),
        (Float("dice_share", (0.0, 1.0)), loss, "ce+dice"),
        (Float("gamma", (0.0, 4.0)), loss, "focal"),
    )
    space.add(optimizer, loss, Float("dropout", (0.0, 0.5)), *(child for child, _, _ in children))
    space.add(*(EqualsCondition(*each) for each in children))
    return space


def _steps(configuration: Configuration) -> float:
    """Decades by which the effective learning rate is off its best."""
    if configuration["optimizer"] == "adam":
        return math.log10(configuration["adam_rate"] / 1e-3)
    effective = configuration["sgd_rate"] / (1 - configuration["momentum"])
    return math.log10(effective / 0.3)


def _floor(configuration: Configuration) -> float:
    floor: float = 0.40 + _LOSSES[configuration["loss"]]
    floor += 0.4 * (configuration["dropout"] - 0.1) ** 2
    if configuration["loss"] == "ce+dice":
        floor += 0.15 * (configuration["dice_share"] - 0.6) ** 2
    if configuration["loss"] == "focal":
        floor += 0.008 * (configuration["gamma"] - 1.5) ** 2
    if configuration["optimizer"] == "sgd":
        floor += 0.08 * (configuration["momentum"] - 0.9) ** 2 - 0.02
    return floor


def _mean(configuration: Configuration, epochs: int) -> float:
    off = _steps(configuration)
    left, power = (0.13, 0.35) if configuration["optimizer"] == "adam" else (0.11, 0.55)
    above: float = left * math.exp(-0.5 * off) * (epochs / MAX_EPOCHS) ** -power
    worse: float = 0.04 * off**2 + 0.3 * max(off - 1, 0.0)
    loss: float = _floor(configuration) + worse + above
    return min(loss, 1.3)


def conditional() -> Curves:
    """Eight dimensions, of which four to six are active."""
    return Curves(
        name="conditional",
        build=_space,
        optimum={
            "optimizer": "sgd",
            "sgd_rate": 0.101183,
            "momentum": 0.9,
            "loss": "ce+dice",
            "dice_share": 0.6,
            "dropout": 0.1,
            "adam_rate": 1e-3,  # the last two are inactive
            "gamma": 1.5,
        },
        mean=_mean,
        hazard=never,
        collapsed=1.3,
        told=True,
        luck=0.012,
        wobble=0.006,
    )
