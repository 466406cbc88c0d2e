"""Learning curves: a mean curve, luck per training, wobble per epoch, and collapse by chance.

- ``dubai``: fitted to the real curves of ``results/dubai-64-milestone3``, see ``search/fit.py``.
- ``misleading``: what learns fast ends badly. Rank correlation of expected losses with those after
  27 epochs: -0.64 after one epoch, -0.31 after three, 0.85 after nine.
- ``divergence``: larger learning rates are better up to where trainings diverge by chance, so that
  the best loss seen lies where one would not want to train again.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from ConfigSpace import Categorical, ConfigurationSpace, Float, Integer
from ConfigSpace.hyperparameters import Hyperparameter

from benchmarks.search import fit
from benchmarks.search.problems import MAX_EPOCHS, Configuration, Seed


@dataclass(frozen=True)
class Curves:
    """A family of learning curves over a space.

    Args:
        name: The problem's.
        build: Makes the space.
        optimum: Found by a grid or by random starts and descent.
        mean: Expected loss of a configuration after so many epochs, if it does not collapse.
        hazard: Of collapse, accumulated up to an epoch: it survives with exp(-hazard).
        collapsed: Loss of a collapsed network.
        told: Whether that loss is reported; else the training diverges and reports none.
        luck: Standard deviation between trainings.
        wobble: Standard deviation between epochs of one training.
    """

    name: str
    build: Callable[[], ConfigurationSpace]
    optimum: Configuration
    mean: Callable[[Configuration, int], float]
    hazard: Callable[[Configuration, int], float]
    collapsed: float
    told: bool
    luck: float
    wobble: float

    def space(self) -> ConfigurationSpace:
        """A fresh copy of the search space."""
        return self.build()

    def loss(self, configuration: Configuration, epochs: int, training: Seed) -> float | None:
        """The loss shown after so many epochs; a collapsed training stays so."""
        random = np.random.default_rng(training)
        luck, patience = random.standard_normal(), random.standard_exponential()
        if self.hazard(configuration, epochs) > patience:
            return self.collapsed if self.told else None
        noise = self.luck * luck + self.wobble * random.standard_normal(epochs)[-1]
        return float(self.mean(configuration, epochs) + noise)

    def quality(self, configuration: Configuration) -> float:
        """The expected loss after ``MAX_EPOCHS``, collapse included."""
        survives = math.exp(-self.hazard(configuration, MAX_EPOCHS))
        mean = self.mean(configuration, MAX_EPOCHS)
        return float(survives * mean + (1 - survives) * self.collapsed)


def _space(*hyperparameters: Hyperparameter[Any, Any]) -> ConfigurationSpace:
    space = ConfigurationSpace()
    space.add(*hyperparameters)
    return space


def never(configuration: Configuration, epochs: int) -> float:
    """Hazard of a problem in which no training collapses."""
    return 0.0


# --- dubai --------------------------------------------------------------------------------------

# What `python -m benchmarks.search fit` prints.
_MEAN = 0.381, 0.352, 0.370, 0.412, 0.035, -1.160, 0.493, 0.371, 0.255
_LUCK, _WOBBLE = 0.036, 0.056
_BASE, _EDGE = -4.489, 2.256


def dubai() -> Curves:
    """The space of ``results/dubai-64-milestone3``: batch size, learning rate, activation."""

    def mean(configuration: Configuration, epochs: int) -> float:
        return float(fit.mean(_MEAN, *fit.place(configuration), epochs))

    def hazard(configuration: Configuration, epochs: int) -> float:
        return math.exp(_BASE + _EDGE * fit.place(configuration)[1]) * (1 + math.log(epochs))

    return Curves(
        name="dubai",
        build=lambda: _space(
            Integer("batch_size", (1, 32)),
            Float("learning_rate", (1e-4, 1e-1), log=True),
            Categorical("activation", fit.ACTIVATIONS),
        ),
        optimum={"batch_size": 1, "learning_rate": 3.8536e-4, "activation": "tanh"},
        mean=mean,
        hazard=hazard,
        collapsed=1.36,
        told=True,
        luck=_LUCK,
        wobble=_WOBBLE,
    )


# --- misleading ---------------------------------------------------------------------------------


def misleading() -> Curves:
    """Capacity and regularisation cost time and pay in the end."""
    norms = {"none": (0.0, 0.03), "group": (0.0, 0.0), "batch": (0.15, 0.02)}

    def mean(configuration: Configuration, epochs: int) -> float:
        rate = math.log10(configuration["learning_rate"] / 1e-4) / 3
        strength, dropout = configuration["augmentation"], 2 * configuration["dropout"]
        width = math.log2(configuration["width"] / 16) / 2
        quicker, worse = norms[configuration["norm"]]
        haste = 0.35 * rate + 0.3 * (1 - strength) + 0.2 * (1 - dropout) + 0.15 * (1 - width)
        floor: float = 0.25 + worse + 0.25 * (rate - 0.25) ** 2 + 0.15 * (strength - 0.8) ** 2
        floor += 0.1 * (dropout - 0.6) ** 2 + 0.06 * (1 - width)
        pace = math.exp(-2.2 + 3 * (haste + quicker))
        return floor + (1.0 - floor) * math.exp(-epochs * pace)

    return Curves(
        name="misleading",
        build=lambda: _space(
            Float("learning_rate", (1e-4, 1e-1), log=True),
            Float("augmentation", (0.0, 1.0)),
            Float("dropout", (0.0, 0.5)),
            Integer("width", (16, 64), log=True),
            Categorical("norm", list(norms)),
        ),
        optimum={
            "learning_rate": 6.3917e-4,
            "augmentation": 0.77352,
            "dropout": 0.28675,
            "width": 64,
            "norm": "group",
        },
        mean=mean,
        hazard=never,
        collapsed=1.0,
        told=True,
        luck=0.01,
        wobble=0.005,
    )


# --- divergence ---------------------------------------------------------------------------------


def divergence() -> Curves:
    """As in segmentation: the larger the steps the better, until the network is lost."""
    activations = {"relu": 0.0, "swish": -0.01, "leaky_relu": 0.005, "tanh": 0.03}
    optimizers = {"adam": (0.0, 0.0), "adamw": (-0.01, 0.0), "sgd": (0.02, 0.7)}

    def steps(configuration: Configuration) -> float:
        rate = math.log10(configuration["learning_rate"] / 1e-3)
        _, tolerance = optimizers[configuration["optimizer"]]
        return rate - 0.35 * math.log10(configuration["batch_size"] / 16) - tolerance

    def mean(configuration: Configuration, epochs: int) -> float:
        step = steps(configuration)
        worse, _ = optimizers[configuration["optimizer"]]
        floor: float = 0.40 + worse + activations[configuration["activation"]]
        floor += 0.03 * (math.log10(configuration["weight_decay"]) + 4) ** 2 / 4
        floor += 0.4 * (configuration["dropout"] - 0.1) ** 2
        floor += 0.003 * math.log2(configuration["batch_size"] / 16) ** 2
        slowness = 0.16 * math.exp(-0.9 * step)
        above: float = slowness * (epochs / MAX_EPOCHS) ** -0.35
        return floor + min(above, 1.3 - floor)

    def hazard(configuration: Configuration, epochs: int) -> float:
        return math.exp(3.0 * (steps(configuration) - 0.75)) * (1 + math.log(epochs)) / 4

    return Curves(
        name="divergence",
        build=lambda: _space(
            Float("learning_rate", (1e-5, 1e-1), log=True),
            Integer("batch_size", (4, 64), log=True),
            Float("weight_decay", (1e-6, 1e-2), log=True),
            Float("dropout", (0.0, 0.5)),
            Categorical("activation", list(activations)),
            Categorical("optimizer", list(optimizers)),
        ),
        optimum={
            "learning_rate": 7.2088e-4,
            "batch_size": 16,
            "weight_decay": 1e-4,
            "dropout": 0.1,
            "activation": "swish",
            "optimizer": "adamw",
        },
        mean=mean,
        hazard=hazard,
        collapsed=1.3,
        told=False,
        luck=0.012,
        wobble=0.006,
    )
