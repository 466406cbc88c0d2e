"""A running average of a model's weights, kept beside them within the compiled step.

The average of a trajectory generalises better than its last point wherever the learning rate still
jumps (Izmailov et al., "Averaging Weights Leads to Wider Optima", UAI 2018). Which of both a
training is scored by is decided after it, by validation.

**How far back.** With ``t`` weights seen, the next one enters with the share
``(POWER + 1) / (t + POWER)``: polynomial-decay averaging (Shamir and Zhang, "Stochastic Gradient
Descent for Non-smooth Optimization", ICML 2013), in whose average the weights of step ``s`` count
like ``s ** POWER``; Karras et al. (CVPR 2024) call it a power function average. So its memory grows
with the training: the mean age is always the same share of all steps, 1 / (POWER + 2). A fixed
momentum would need the training's length, which a trial of a search does not have: it may be
promoted. With Keras' ``use_ema`` the average would also replace the weights after each ``fit``,
which for us is an epoch.

**Batch normalisation.** Its moving statistics are averaged like weights, as timm's ``ModelEmaV3``
does. They then belong to the same steps as the averaged weights. Computing them anew, as PyTorch's
``update_bn`` does, would cost an epoch of forward passes.
"""

from collections.abc import Callable, Sequence
from typing import Any, final

import keras
from keras import ops

POWER = 8
"""Mean age of a tenth of the training. Its width relative to the training is .09 in the sense of
Karras et al., who keep averages of .05 and .10."""

MakeVariable = Callable[[str, tuple[int, ...]], keras.Variable]
"""Makes a float32 variable that the step may change, from its name and shape."""


@final
class RunningAverage:
    """The average of a model's weights over the last steps.

    The weights before each step are averaged, those that the step computes its gradients with;
    statistics of batch normalisation as they are after it.

    Args:
        weights: The model's weights.
        make: Makes the variables.

    Attributes:
        values: The averaged weights, in the same order.
    """

    def __init__(self, weights: Sequence[keras.Variable], make: MakeVariable) -> None:
        self._weights = weights
        self._seen = make("averaged_steps", ())
        self.values = [
            make(f"average_{number}", tuple(weight.shape)) for number, weight in enumerate(weights)
        ]

    def begin(self, values: Sequence[Any], steps: int) -> None:
        """Sets the average, as it is after so many steps."""
        self._seen.assign(steps)
        for average, value in zip(self.values, values, strict=True):
            average.assign(value)

    def update(self) -> None:
        """Takes the present weights in; part of the step."""
        seen = ops.convert_to_tensor(self._seen) + 1
        share = (POWER + 1) / (seen + POWER)
        for average, weight in zip(self.values, self._weights, strict=True):
            old, new = ops.convert_to_tensor(average), ops.cast(weight, "float32")
            average.assign(old + share * (new - old))
        self._seen.assign(seen)
