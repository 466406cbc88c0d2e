"""Dropout whose rate and masks are values of a step instead of being part of the graph.

Keras' own layer traces again for another rate, and counts its masks in a variable. Here both come
with the step: the same network serves every rate, an epoch gives the same masks wherever it runs,
and a step that is computed a second time (to save memory) drops the same activations again.
"""

from collections.abc import Callable
from typing import Any, final

import keras
from keras import layers, ops

Tensor = Any
Dropout = Callable[[float, str], layers.Layer]
"""Makes a layer from its share of the configuration's rate, and its dtype policy."""


@final
class Drawn:
    """What the dropout layers of one network are told before they are called.

    Attributes:
        rate: Scalar, the configuration's.
        seed: Scalar int32, another one for each step.
    """

    def __init__(self) -> None:
        self.rate: Tensor = 0.0
        self.seed: Tensor = 0
        self._layers = 0

    def layer(self, share: float, dtype: str) -> layers.Layer:
        """A new layer; a :data:`Dropout`."""
        self._layers += 1
        return _Dropout(self, share, self._layers, dtype)


@final
class _Dropout(layers.Layer):  # type: ignore[misc]
    def __init__(self, drawn: Drawn, share: float, index: int, dtype: str) -> None:
        super().__init__(dtype=dtype)
        self._drawn, self._share, self._index = drawn, share, index

    def call(self, x: Tensor, training: bool = False) -> Tensor:
        if not training:
            return x
        seed = _Seed(ops.stack([ops.cast(self._drawn.seed, "int32"), self._index]))
        rate = ops.cast(self._share * self._drawn.rate, "float32")
        kept = keras.random.uniform(ops.shape(x), dtype="float32", seed=seed) >= rate
        return ops.where(kept, x * ops.cast(1 / (1 - rate), x.dtype), ops.cast(0, x.dtype))


@final
class _Seed(keras.random.SeedGenerator):  # type: ignore[misc]
    """What Keras takes for a seed that is a tensor: a generator, here without a state."""

    def __init__(self, seed: Tensor) -> None:
        self._seed = seed

    def next(self, ordered: bool = True) -> Tensor:
        return ops.cast(self._seed, "uint32")
