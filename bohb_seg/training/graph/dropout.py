"""Dropout whose rate and masks are values of a step instead of being part of the graph.

Keras' own layer traces again for another rate, and counts its masks in a variable. Here both come
with the step: the same network serves every rate, an epoch gives the same masks wherever it runs,
and a step that is computed a second time (to save memory) drops the same activations again.
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import final

import keras
from keras import layers, ops

from bohb_seg.training.graph.types import Tensor


@final
class StepDropout:
    """Makes the dropout layers of one network, and tells them rates and seed of each step.

    Args:
        names: The hyperparameters that are rates.

    Attributes:
        rates: (len(names),) the configuration's rates, in this order; set before each step.
        seed: Scalar int32, another one for each step; set before each step.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.rates: Tensor = None
        self.seed: Tensor = 0
        self._names = tuple(names)
        self._layers = 0

    def layer(self, name: str, factor: float, dtype: str) -> layers.Layer:
        """Makes a layer; a :data:`~bohb_seg.training.graph.types.MakeDropout`."""
        self._layers += 1
        return _StepDropoutLayer(self, self._names.index(name), factor, self._layers, dtype)


@final
class _StepDropoutLayer(layers.Layer):  # type: ignore[misc]
    def __init__(
        self, step: StepDropout, rate: int, factor: float, number: int, dtype: str
    ) -> None:
        super().__init__(dtype=dtype)
        self._step, self._rate, self._factor, self._number = step, rate, factor, number

    def call(self, x: Tensor, training: bool = False) -> Tensor:
        if not training:
            return x
        seed = _StepSeed(ops.stack([ops.cast(self._step.seed, "int32"), self._number]))
        rate = ops.cast(self._factor * self._step.rates[self._rate], "float32")
        kept = keras.random.uniform(ops.shape(x), dtype="float32", seed=seed) >= rate
        return ops.where(kept, x * ops.cast(1 / (1 - rate), x.dtype), ops.cast(0, x.dtype))


@final
class _StepSeed(keras.random.SeedGenerator):  # type: ignore[misc]
    """The form in which Keras takes a tensor as a seed: a generator, here without a state."""

    def __init__(self, seed: Tensor) -> None:
        self._seed = seed

    def next(self, ordered: bool = True) -> Tensor:
        return ops.cast(self._seed, "uint32")


@final
class PlainDropout:
    """Makes Keras' own dropout layers, for models that are saved: they load without this package.

    Args:
        rates: The rates by name of their hyperparameters, 0..1.
        seed: Seed of the first layer's masks; each layer counts on by one.
    """

    def __init__(self, rates: Mapping[str, float], seed: int) -> None:
        self._rates, self._seeds = rates, itertools.count(seed)

    def layer(self, name: str, factor: float, dtype: str) -> layers.Layer:
        """Makes a layer; a :data:`~bohb_seg.training.graph.types.MakeDropout`."""
        return layers.Dropout(factor * self._rates[name], seed=next(self._seeds), dtype=dtype)
