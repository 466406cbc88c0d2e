"""U-Net of the Milestone 3 reports (docs/origin.md), after Ronneberger et al. 2015."""

import itertools
from collections.abc import Iterator, Mapping
from typing import Any, final

import keras
from keras import layers

from bohb_seg.errors import SettingsError
from bohb_seg.training.graph.scaling import stretched, to_unit
from bohb_seg.training.graph.types import MakeDropout, Tensor

HYPERPARAMETERS = {
    "base_filters": {"default": 16, "range": (8, 512)},
    "depth": {"default": 4, "range": (1, 7)},
    "norm": {"default": "none", "choices": ("none", "batch", "group")},
    "activation": {
        "default": "relu",
        "choices": ("relu", "tanh", "swish", "leaky_relu", "none"),
    },
    "dropout": {"default": 0.2, "range": (0.0, 0.6), "value": True},
    "scaling": {"default": "unit", "choices": ("unit", "patch")},
}
"""Each read without running this file (see ``bohb_seg/plugins/hyperparameters.py``):

* ``base_filters``: filters of the first level; each level below has twice as many.
* ``depth``: how often the image is halved.
* ``norm``: normalisation after each convolution.
* ``activation``: after each convolution; ``none`` is linear.
* ``dropout``: rate between a level's two convolutions; 1.5 times as much at the bottom.
* ``scaling``: ``unit`` makes 0..1 of 0..255; ``patch`` stretches each channel of each patch to
  0..1, as the reports did.
"""
HALVINGS = "depth"
PRESETS = {"milestone3": {"scaling": "patch"}}

GROUPS = 8
"""Groups of group normalisation; ``base_filters`` must then be a multiple."""
MOMENTUM = 0.9
"""Momentum of batch normalisation's running statistics. Keras' 0.99 wants a thousand steps; a low
rung has a few hundred, and is then judged by statistics that still hold their initial values."""
BOTTOM_DROPOUT = 1.5
"""The bottom level drops this much more: 0.3 where the others drop 0.2, as in the reports."""


def build(
    hyperparameters: Mapping[str, Any],
    *,
    classes: int,
    precision: str,
    seed: int,
    dropout: MakeDropout,
    bands: int = 3,
) -> keras.Model:
    """Builds a U-Net; see :class:`bohb_seg.training.graph.architecture.Build`.

    Raises:
        SettingsError: group normalisation does not divide the filters.
    """
    filters, depth = hyperparameters["base_filters"], hyperparameters["depth"]
    if hyperparameters["norm"] == "group" and filters % GROUPS:
        raise SettingsError(
            f"base_filters {filters} cannot be cut into the {GROUPS} groups of norm 'group'; give"
            f" the space multiples of {GROUPS}"
        )
    blocks = _Blocks(hyperparameters, precision, seed, dropout)
    images = keras.Input((None, None, bands), dtype="float32", name="image")
    x = to_unit(images) if hyperparameters["scaling"] == "unit" else stretched(images)
    skips = []
    for level in range(depth):
        x = blocks.convolutions(x, filters * 2**level)
        skips.append(x)
        x = layers.MaxPooling2D(dtype=precision)(x)
    x = blocks.convolutions(x, filters * 2**depth, BOTTOM_DROPOUT)
    for level in reversed(range(depth)):
        enlarged = blocks.enlarged(x, filters * 2**level)
        x = layers.Concatenate(dtype=precision)([enlarged, skips[level]])
        x = blocks.convolutions(x, filters * 2**level)
    return keras.Model(images, blocks.probabilities(x, classes), name="unet")


@final
class _Blocks:
    """Groups of layers of one U-Net; each layer has a seed of its own."""

    def __init__(
        self, hyperparameters: Mapping[str, Any], precision: str, seed: int, dropout: MakeDropout
    ) -> None:
        self._hyperparameters, self._precision = hyperparameters, precision
        self._seeds: Iterator[int] = itertools.count(seed)
        self._dropout = dropout

    def convolutions(self, x: Tensor, filters: int, dropout_factor: float = 1.0) -> Tensor:
        """Two 3x3 convolutions with dropout between."""
        x = self._convolution(x, filters)
        if self._hyperparameters["dropout"]:
            x = self._dropout("dropout", dropout_factor, self._precision)(x)
        return self._convolution(x, filters)

    def enlarged(self, x: Tensor, filters: int) -> Tensor:
        """Doubles height and width by a 2x2 transposed convolution."""
        initializer = self._glorot()
        return layers.Conv2DTranspose(
            filters, 2, strides=2, kernel_initializer=initializer, dtype=self._precision
        )(x)

    def probabilities(self, x: Tensor, classes: int) -> Tensor:
        """Class probabilities of each pixel."""
        x = layers.Conv2D(
            classes, 1, kernel_initializer=self._glorot(), dtype=self._precision, name="logits"
        )(x)
        # Probabilities in float32 whatever the precision: 8 bits are too few for a loss.
        return layers.Softmax(dtype="float32", name="probabilities")(x)

    def _convolution(self, x: Tensor, filters: int) -> Tensor:
        initializer = keras.initializers.HeNormal(next(self._seeds))
        x = layers.Conv2D(
            filters, 3, padding="same", kernel_initializer=initializer, dtype=self._precision
        )(x)
        match self._hyperparameters["norm"]:
            case "batch":
                x = layers.BatchNormalization(momentum=MOMENTUM, dtype=self._precision)(x)
            case "group":
                x = layers.GroupNormalization(GROUPS, dtype=self._precision)(x)
        activation = self._hyperparameters["activation"]
        if activation == "none":
            return x
        return layers.Activation(activation, dtype=self._precision)(x)

    def _glorot(self) -> keras.initializers.Initializer:
        """Initializer of the layers that no ReLU follows."""
        return keras.initializers.GlorotUniform(next(self._seeds))
