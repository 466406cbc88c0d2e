"""Gradient optimizers and learning rate schedules whose numbers are variables.

Learning rate, kind and length of the schedule and weight decay are assigned between evaluations, so
a compiled step serves all configurations of one family: ``adamw`` (Adam is AdamW without decay) or
``sgd``.
"""

import math
from typing import Literal, final

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from bohb_seg.training.graph.types import Tensor
from bohb_seg.training.recipe import Recipe

Family = Literal["adamw", "sgd"]

WARM_UP = 0.05
"""Share of all steps over which ``cosine`` rises to its learning rate."""
POLY_POWER = 0.9
"""Exponent of ``poly``, the customary one for segmentation (DeepLab, Chen et al. 2017)."""
SGD_MOMENTUM = 0.9
NO_DECAY = ["bias", "gamma", "beta"]
"""Variables without decay, which is meant for the convolutions' kernels."""


def family_of(recipe: Recipe) -> Family:
    """The family of a recipe's gradient optimizer; all of a family share a compiled step."""
    return "sgd" if recipe.optimizer == "sgd" else "adamw"


@final
class ScheduledOptimizer:
    """A gradient optimizer with its learning rate schedule; :meth:`begin` gives them numbers.

    Args:
        family: Kind of optimizer.
        variables: The variables that it trains.

    Attributes:
        keras: Keras' optimizer; its ``iterations`` are the position in the schedule.
    """

    def __init__(self, family: Family, variables: list[keras.Variable]) -> None:
        self._schedule = _Schedule()
        self.keras = _optimizer(family, self._schedule)
        # The optimizer's own, because Keras hands only those to a compiled step on JAX.
        self._schedule.values = self.keras.add_variable((_VALUES,), name="schedule")
        self._decay = self.keras.add_variable((), name="decay")
        self.keras.weight_decay = self._decay
        self.keras.exclude_from_weight_decay(var_names=NO_DECAY)
        self.keras.build(variables)

    @property
    def state(self) -> list[keras.Variable]:
        """Variables that steps change: the step counter and the moments."""
        values = {id(self._schedule.values), id(self._decay)}
        return [v for v in self.keras.variables if id(v) not in values]

    def begin(self, recipe: Recipe, steps: int) -> None:
        """Forgets all steps and takes the numbers of a recipe.

        Args:
            recipe: A recipe whose optimizer is of the family.
            steps: Number of steps after which the schedule ends.
        """
        for variable in self.state:
            variable.assign(ops.zeros_like(variable))
        self._schedule.values.assign(_values(recipe, steps))
        # The published Adam has none, whatever a configuration says.
        self._decay.assign(0.0 if recipe.optimizer == "adam" else recipe.weight_decay)


_VALUES = 5


def _values(recipe: Recipe, steps: int) -> NDArray[np.float32]:
    """Peak, steps, steps of warm-up, 1 for ``poly`` (else 0), 1 for ``cosine`` (else 0)."""
    warm_up = max(1, round(WARM_UP * steps))
    kinds = (recipe.schedule == "poly", recipe.schedule == "cosine")
    return np.array([recipe.learning_rate, steps, warm_up, *kinds], np.float32)


@final
class _Schedule(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """The schedule ``constant``, ``poly`` or ``cosine``, as its variable says."""

    values: keras.Variable

    def __call__(self, step: Tensor) -> Tensor:
        peak, steps, warm_up, is_poly, is_cosine = ops.unstack(
            ops.convert_to_tensor(self.values), _VALUES
        )
        step = ops.minimum(ops.cast(step, "float32"), steps)
        poly = ops.power(1 - step / steps, POLY_POWER)
        fall = ops.clip((step - warm_up) / ops.maximum(steps - warm_up, 1), 0, 1)
        cosine = ops.minimum(step / warm_up, (1 + ops.cos(math.pi * fall)) / 2)
        return peak * ops.where(is_poly > 0, poly, ops.where(is_cosine > 0, cosine, 1.0))


def _optimizer(family: Family, schedule: _Schedule) -> keras.optimizers.Optimizer:
    match family:
        case "adamw":
            return keras.optimizers.AdamW(schedule)
        case "sgd":
            return keras.optimizers.SGD(schedule, SGD_MOMENTUM, nesterov=True)
