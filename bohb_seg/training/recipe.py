"""What a configuration means for training: every hyperparameter named, checked and filled in.

A name that a search space leaves out takes the value of the published reports' un-tuned script.
Two of them need a word. Without ``learning_rate`` it is Adam's own 1e-3, because the one space
without it (``milestone3-bohb``) comes from the script that left Adam alone. Without ``loss`` it is
the reports' sum of weighted Dice and focal loss, which no value of ``loss`` names.
"""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from bohb_seg.errors import SettingsError

OptimizerName = Literal["adam", "adamw", "sgd"]
ScheduleName = Literal["constant", "cosine", "poly"]
NormName = Literal["none", "batch", "group"]
ActivationName = Literal["relu", "tanh", "swish", "leaky_relu", "none"]
LossName = Literal["reports", "ce", "dice+ce", "dice+focal", "tversky"]


@dataclass(frozen=True)
class Recipe:
    """One configuration, complete.

    Args:
        optimizer: Gradient optimizer; ``sgd`` has Nesterov momentum 0.9.
        learning_rate: Largest learning rate of the schedule.
        weight_decay: Decoupled weight decay; Adam has none.
        schedule: ``cosine`` begins with a warm-up, ``poly`` is (1 - progress) ** 0.9.
        batch_size: Training patches per step.
        val_batch_size: Patches over which the reports' validation loss averages its Dice; None:
            the training batch, as Keras does. It changes no weight.
        base_filters: Filters of the first level.
        depth: How often the image is halved.
        norm: Normalisation after each convolution; ``group`` has 8 groups.
        activation: After each convolution; ``none`` is linear.
        dropout: Between a level's two convolutions; 1.5 times as much at the bottom.
        loss: What is minimised by gradients; not what the search compares.
        region_weight: Share of the Dice part in ``dice+...``, 0..1.
        focal_gamma: Exponent of the focal part of ``dice+focal``.
        augmentation: Strength of zoom and colour changes, 0..1; flips and quarter turns are on;
            None: nothing.
    """

    optimizer: OptimizerName = "adam"
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    schedule: ScheduleName = "constant"
    batch_size: int = 16
    val_batch_size: int | None = None
    base_filters: int = 16
    depth: int = 4
    norm: NormName = "none"
    activation: ActivationName = "relu"
    dropout: float = 0.2
    loss: LossName = "reports"
    region_weight: float = 0.5
    focal_gamma: float = 2.0
    augmentation: float | None = None

    @property
    def own_validation_batch(self) -> int:
        """Patches per validation batch if Keras had validated."""
        return self.val_batch_size or self.batch_size


_SGD_RATE = "sgd_learning_rate"
"""Spaces may give ``sgd`` a learning rate, with its own range, under this name."""
_SGD_DEFAULT_RATE = 1e-2

_CHOICES: Mapping[str, tuple[str, ...]] = {
    "optimizer": get_args(OptimizerName),
    "schedule": get_args(ScheduleName),
    "norm": get_args(NormName),
    "activation": get_args(ActivationName),
    "loss": get_args(LossName),
}
_INTEGERS: Mapping[str, tuple[int, int]] = {
    "batch_size": (1, 4096),
    "val_batch_size": (1, 4096),
    "base_filters": (8, 512),
    "depth": (1, 7),
}
_NUMBERS: Mapping[str, tuple[float, float]] = {
    "learning_rate": (0, math.inf),
    _SGD_RATE: (0, math.inf),
    "weight_decay": (0, 1),
    "dropout": (0, 0.6),
    "region_weight": (0, 1),
    "focal_gamma": (0, 10),
    "augmentation": (0, 1),
}


def parse(configuration: Mapping[str, Any]) -> Recipe:
    """Reads a configuration.

    Args:
        configuration: Active hyperparameters by name, plain Python values.

    Raises:
        SettingsError: a hyperparameter that training does not know, or a value it cannot use.
    """
    known = {**_CHOICES, **_INTEGERS, **_NUMBERS}
    if unknown := sorted(configuration.keys() - known.keys()):
        raise SettingsError(
            f"the search space has the hyperparameter {unknown[0]!r}, which training does not know;"
            f" rename or remove it, there are: {', '.join(sorted(known))}"
        )
    values = {name: _checked(name, value) for name, value in configuration.items()}
    is_sgd = values.get("optimizer") == "sgd"
    sgd_rate = values.pop(_SGD_RATE, values.get("learning_rate", _SGD_DEFAULT_RATE))
    recipe = Recipe(**(values | {"learning_rate": sgd_rate} if is_sgd else values))
    if recipe.norm == "group" and recipe.base_filters % 8:
        raise SettingsError(
            f"base_filters {recipe.base_filters} cannot be cut into the 8 groups of norm 'group';"
            " give the space multiples of 8"
        )
    return recipe


def as_json(recipe: Recipe) -> dict[str, Any]:
    """The recipe as plain values, the same for equal recipes."""
    return dataclasses.asdict(recipe)


def _checked(name: str, value: Any) -> Any:
    if name in _CHOICES:
        if value not in _CHOICES[name]:
            raise _refusal(name, value, f"one of {', '.join(_CHOICES[name])}")
        return value
    low, high = _INTEGERS.get(name) or _NUMBERS[name]
    wanted = f"{'a whole number' if name in _INTEGERS else 'a number'} from {low} to {high}"
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise _refusal(name, value, wanted)
    if name in _INTEGERS:
        if value != int(value):
            raise _refusal(name, value, wanted)
        return int(value)
    return float(value)


def _refusal(name: str, value: Any, wanted: str) -> SettingsError:
    return SettingsError(
        f"the hyperparameter {name} has the value {value!r} in this configuration, but training"
        f" needs {wanted}; change it in the search space"
    )
