"""The reports' U-Net (Ronneberger et al. 2015): 16..256 filters, dropout between convolutions."""

import itertools
from collections.abc import Iterator
from typing import Any

import keras
from keras import layers

from bohb_seg.training.graph.dropout import Dropout
from bohb_seg.training.graph.scaling import Scaling, scaled
from bohb_seg.training.recipe import Recipe

Tensor = Any

GROUPS = 8
"""Of group normalisation; base_filters are multiples of it."""
MOMENTUM = 0.9
"""Of batch normalisation's running statistics: Keras' 0.99 wants a thousand steps, a low rung has a
few hundred, and is then judged by statistics that still hold their initial values."""
BOTTOM_DROPOUT = 1.5
"""The bottom level drops this much more: 0.3 where the others drop 0.2, as in the reports."""


def build(
    recipe: Recipe,
    *,
    classes: int,
    scaling: Scaling,
    precision: str,
    seed: int,
    dropout: Dropout | None = None,
) -> keras.Model:
    """A U-Net that takes RGB images 0..255 and gives class probabilities.

    Args:
        recipe: Uses base_filters, depth, norm, activation and dropout.
        classes: Number of classes C.
        scaling: What is done to the images first.
        precision: Keras' dtype policy, ``float32`` or ``mixed_bfloat16``.
        seed: Of the initial weights, which depend on nothing else that is random.
        dropout: Makes the dropout layers; None: Keras' own, with the recipe's rate.

    Returns:
        (b, h, w, 3) uint8 or float32 -> (b, h, w, C) float32; h and w multiples of 2**depth.
    """
    if dropout is None:
        dropout = _plain_dropout(recipe.dropout, seed)
    parts = _Parts(recipe, precision, itertools.count(seed), dropout)
    images = keras.Input((None, None, 3), dtype="float32", name="image")
    x = scaled(images, scaling)
    skips = []
    for level in range(recipe.depth):
        x = parts.convolutions(x, recipe.base_filters * 2**level)
        skips.append(x)
        x = layers.MaxPooling2D(dtype=precision)(x)
    bottom = recipe.base_filters * 2**recipe.depth
    x = parts.convolutions(x, bottom, BOTTOM_DROPOUT)
    for level in reversed(range(recipe.depth)):
        filters = recipe.base_filters * 2**level
        x = layers.Concatenate(dtype=precision)([parts.enlarge(x, filters), skips[level]])
        x = parts.convolutions(x, filters)
    x = layers.Conv2D(
        classes, 1, kernel_initializer=parts.glorot(), dtype=precision, name="logits"
    )(x)
    # Probabilities in float32 whatever the precision: 8 bits are too few for a loss.
    outputs = layers.Softmax(dtype="float32", name="probabilities")(x)
    return keras.Model(images, outputs, name="unet")


class _Parts:
    """Layers of one U-Net, each with a seed of its own."""

    def __init__(
        self, recipe: Recipe, precision: str, seeds: Iterator[int], dropout: Dropout
    ) -> None:
        self._recipe, self._precision, self._seeds = recipe, precision, seeds
        self._dropout = dropout

    def glorot(self) -> keras.initializers.Initializer:
        """The initializer of the layers that no ReLU follows."""
        return keras.initializers.GlorotUniform(next(self._seeds))

    def enlarge(self, x: Tensor, filters: int) -> Tensor:
        """Doubles height and width by a 2x2 transposed convolution."""
        initializer = self.glorot()
        return layers.Conv2DTranspose(
            filters, 2, strides=2, kernel_initializer=initializer, dtype=self._precision
        )(x)

    def convolutions(self, x: Tensor, filters: int, dropout_share: float = 1.0) -> Tensor:
        """Two 3x3 convolutions with dropout between."""
        x = self._convolution(x, filters)
        if self._recipe.dropout:
            x = self._dropout(dropout_share, self._precision)(x)
        return self._convolution(x, filters)

    def _convolution(self, x: Tensor, filters: int) -> Tensor:
        initializer = keras.initializers.HeNormal(next(self._seeds))
        x = layers.Conv2D(
            filters, 3, padding="same", kernel_initializer=initializer, dtype=self._precision
        )(x)
        match self._recipe.norm:
            case "batch":
                x = layers.BatchNormalization(momentum=MOMENTUM, dtype=self._precision)(x)
            case "group":
                x = layers.GroupNormalization(GROUPS, dtype=self._precision)(x)
        if self._recipe.activation == "none":
            return x
        return layers.Activation(self._recipe.activation, dtype=self._precision)(x)


def _plain_dropout(rate: float, seed: int) -> Dropout:
    seeds = itertools.count(seed)
    return lambda share, dtype: layers.Dropout(share * rate, seed=next(seeds), dtype=dtype)
