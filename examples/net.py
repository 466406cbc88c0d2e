"""Stacked 3x3 convolutions at half resolution: a model as small as a model can be."""

from collections.abc import Mapping
from typing import Any

import keras
from keras import layers

from bohb_seg.training.graph.scaling import to_unit
from bohb_seg.training.graph.types import MakeDropout

HYPERPARAMETERS = {"filters": {"default": 16, "range": (8, 128)}}
HALVINGS = 1


def build(
    hyperparameters: Mapping[str, Any],
    *,
    classes: int,
    precision: str,
    seed: int,
    dropout: MakeDropout,
) -> keras.Model:
    """Builds the network."""
    images = keras.Input((None, None, 3), dtype="float32")
    x = layers.AveragePooling2D(dtype=precision)(to_unit(images))
    for number in range(3):
        start = keras.initializers.HeNormal(seed + number)
        x = layers.Conv2D(
            hyperparameters["filters"],
            3,
            padding="same",
            activation="relu",
            kernel_initializer=start,
            dtype=precision,
        )(x)
    x = layers.UpSampling2D(dtype=precision)(x)
    start = keras.initializers.GlorotUniform(seed + 3)
    x = layers.Conv2D(classes, 1, kernel_initializer=start, dtype=precision)(x)
    return keras.Model(images, layers.Softmax(dtype="float32")(x))
