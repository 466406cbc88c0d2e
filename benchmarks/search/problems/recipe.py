"""A problem in the space ``default``, fitted to the real curves of ``results/dubai-64-kde``.

Fourteen dimensions, five of them conditional; ``search/fit_recipe.py`` tells how it was fitted.
"""

from ConfigSpace import (
    Categorical,
    ConfigurationSpace,
    EqualsCondition,
    Float,
    InCondition,
    Integer,
)

from benchmarks.search import fit_recipe
from benchmarks.search.problems import Configuration
from benchmarks.search.problems.curves import Curves, never

# What `python -m benchmarks.search fit` prints.
_MEAN = (
    *(0.309, -1.056, 0.349),
    *(
        0.019,
        0.000,
        -0.011,
        -0.013,
        0.051,
        -0.007,
        0.052,
        -0.033,
        -0.010,
        0.026,
        0.000,
        -0.018,
        0.039,
        0.002,
        0.012,
        0.033,
        -0.015,
        0.005,
        -0.005,
    ),
    *(
        -0.158,
        0.000,
        0.012,
        -0.065,
        0.008,
        0.012,
        0.087,
        -0.160,
        -0.045,
        0.005,
        -0.060,
        -0.065,
        0.041,
        0.155,
        0.120,
        0.097,
        -0.023,
        -0.063,
        -0.056,
    ),
)
_LUCK, _WOBBLE = 0.011, 0.038


def _space() -> ConfigurationSpace:
    space = ConfigurationSpace()
    chosen = {name: Categorical(name, choices) for name, choices in fit_recipe.CHOICES.items()}
    space.add(
        *chosen.values(),
        Float("augmentation", (0.0, 1.0)),
        Integer("batch_size", (4, 32), log=True),
        Integer("depth", (3, 5)),
        Float("dropout", (0.0, 0.4)),
    )
    loss, optimizer = chosen["loss"], chosen["optimizer"]
    gamma, share = Float("focal_gamma", (1.0, 3.0)), Float("region_weight", (0.25, 0.75))
    rate = Float("learning_rate", (1e-4, 5e-3), log=True)
    sgd_rate = Float("sgd_learning_rate", (1e-3, 1e-1), log=True)
    decay = Float("weight_decay", (1e-6, 1e-2), log=True)
    space.add(
        *(gamma, share, rate, sgd_rate, decay),
        EqualsCondition(gamma, loss, "dice+focal"),
        InCondition(share, loss, ["dice+ce", "dice+focal"]),
        InCondition(rate, optimizer, ["adam", "adamw"]),
        EqualsCondition(sgd_rate, optimizer, "sgd"),
        InCondition(decay, optimizer, ["adamw", "sgd"]),
    )
    return space


def _mean(configuration: Configuration, epochs: int) -> float:
    return fit_recipe.mean(_MEAN, *fit_recipe.effects(configuration), epochs)


def recipe() -> Curves:
    """Ten to thirteen of fourteen dimensions are active."""
    return Curves(
        name="recipe",
        build=_space,
        optimum={
            "augmentation": 0.155,
            "batch_size": 4,
            "depth": 3,
            "dropout": 0.0,
            "focal_gamma": 1.0,
            "region_weight": 0.25,
            "learning_rate": 0.00152373,
            "sgd_learning_rate": 0.001,
            "weight_decay": 0.00436516,
            "activation": "relu",
            "loss": "ce",
            "norm": "group",
            "optimizer": "adamw",
            "schedule": "constant",
        },
        mean=_mean,
        hazard=never,
        collapsed=1.3,
        told=True,
        luck=_LUCK,
        wobble=_WOBBLE,
    )
