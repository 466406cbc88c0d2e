"""The constants of the problem ``recipe``, fitted to the curves of ``results/dubai-64-kde``.

Data: the trials of that search in the space ``default`` at 16 filters, a validation loss per epoch,
and the comparison's three retrainings of default and incumbent. With z the effects of a
configuration (see ``effects``) and e epochs:

- *mean curve*: floor + f z + bend + exp(start - power ln e + s z), by least squares with soft
  absolute errors over all epochs, each divided by the square root of the length of its training.
- *noise*: as in ``fit``.

A dozen configurations cannot tell twenty effects apart, so every effect is pulled to none: it is
what the data insist on. ``bend`` is made up: without it every optimum would be a corner.
It is a problem with speed, noise and branches of a real search, not a surrogate of it.

    python -m benchmarks.search fit
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.search.fit import losses_of, pooled

Floats = NDArray[np.float64]

RUN = Path(__file__).parents[2] / "results" / "dubai-64-kde"
FINAL_EPOCHS = 18
CHOICES = {
    "activation": ("relu", "swish", "leaky_relu"),
    "loss": ("dice+ce", "dice+focal", "ce", "tversky"),
    "norm": ("batch", "group", "none"),
    "optimizer": ("adam", "adamw", "sgd"),
    "schedule": ("cosine", "poly", "constant"),
}
"""The first of each is the default; the others have an effect of their own."""
START = 0.40, -1.0, 0.5
"""Floor, start and power to which the fit is pulled."""
PULL, FLOOR_PULL, SPEED_PULL = 0.3, 0.5, 0.15
"""Of these, of an effect on the floor, and of one on the logarithm of the fall."""
SOFT = 0.05
"""Losses that differ by less are errors that count squared."""
_BENDS = {"rate": 0.06, "augmentation": 0.03, "weight_decay": 0.01, "region": 0.02, "gamma": 0.01}
_DEFAULT_RATE = {"adam": 1e-3, "adamw": 1e-3, "sgd": 1e-2}


def numbers(configuration: Mapping[str, Any]) -> dict[str, float]:
    """The numeric effects of a configuration, 0 at the default or where inactive, about 1 wide."""
    rate = "sgd_learning_rate" if configuration["optimizer"] == "sgd" else "learning_rate"
    usual = _DEFAULT_RATE[configuration["optimizer"]]
    found = {
        "rate": math.log10(float(configuration[rate]) / usual),
        "augmentation": 2 * float(configuration["augmentation"]) - 1,
        "batch": math.log2(float(configuration["batch_size"]) / 16) / 2,
        "depth": float(configuration["depth"]) - 4,
        "dropout": float(configuration["dropout"]) / 0.4,
        "weight_decay": 0.0,
        "region": 0.0,
        "gamma": 0.0,
    }
    if configuration["optimizer"] != "adam":
        found["weight_decay"] = (math.log10(float(configuration["weight_decay"])) + 4) / 2
    if configuration["loss"] in ("dice+ce", "dice+focal"):
        found["region"] = 4 * (float(configuration["region_weight"]) - 0.5)
    if configuration["loss"] == "dice+focal":
        found["gamma"] = float(configuration["focal_gamma"]) - 2
    return found


def effects(configuration: Mapping[str, Any]) -> tuple[Floats, float]:
    """The effects z of a configuration, choices before numbers, and its bend."""
    chosen = [
        float(configuration[name] == choice)
        for name, choices in CHOICES.items()
        for choice in choices[1:]
    ]
    there = numbers(configuration)
    bend = sum(size * there[name] ** 2 for name, size in _BENDS.items())
    return np.array([*chosen, *there.values()]), bend


def mean(constants: Sequence[float] | Floats, z: Floats, bend: float, epochs: float) -> float:
    """The mean curve; constants are floor, start, power, f and s."""
    floor, start, power, *slopes = constants
    of_floor, of_speed = np.split(np.asarray(slopes), 2)
    fall = math.exp(start - power * math.log(epochs) + float(of_speed @ z))
    return floor + float(of_floor @ z) + bend + fall


Row = tuple[str, int, Floats, float, float]
"""Training, epoch, effects, bend, validation loss."""


def rows_of(run: Path) -> list[Row]:
    """All validation losses in a run's report."""
    return [
        (trial, epoch, *where, loss)
        for trial, epoch, where, loss in losses_of(run, effects, FINAL_EPOCHS)
    ]


def fitted(rows: Sequence[Row]) -> dict[str, list[float]]:
    """The constants by name: ``recipe mean``, ``recipe noise`` (luck, wobble)."""
    from scipy.optimize import least_squares

    lengths: dict[str, int] = {}
    for training, *_ in rows:
        lengths[training] = lengths.get(training, 0) + 1
    weights = np.array([lengths[training] ** -0.5 for training, *_ in rows])
    size = len(rows[0][2])
    start = np.concatenate([START, np.zeros(2 * size)])
    pull = np.array([PULL] * len(START) + [FLOOR_PULL] * size + [SPEED_PULL] * size)

    def residuals(constants: Floats) -> Floats:
        return np.array([mean(constants, z, bend, e) - loss for _, e, z, bend, loss in rows])

    def errors(constants: Floats) -> Floats:
        return np.concatenate([weights * residuals(constants), pull * (constants - start)])

    constants = least_squares(errors, start, loss="soft_l1", f_scale=SOFT).x
    final: dict[str, list[float]] = {}
    within: dict[str, list[float]] = {}
    for (training, epoch, *_, loss), residual in zip(rows, residuals(constants), strict=True):
        within.setdefault(training, []).append(residual)
        if epoch == FINAL_EPOCHS and " " in training:
            final.setdefault(training.split()[0], []).append(loss)
    noise = [pooled(final.values()), pooled(within.values())]
    return {"recipe mean": constants.tolist(), "recipe noise": noise}
