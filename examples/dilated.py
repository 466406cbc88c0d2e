"""A model: a network that never halves the image; dilated convolutions see far instead.

Run it::

    bohb-master --model examples/dilated.py --space examples/dilated_space.py

Source: Yu and Koltun, "Multi-Scale Context Aggregation by Dilated Convolutions", ICLR 2016.
"""

from collections.abc import Mapping
from typing import Any

import keras
from keras import layers

from bohb_seg.training.graph.scaling import to_unit
from bohb_seg.training.graph.types import MakeDropout

HYPERPARAMETERS = {
    "width": {"default": 16, "range": (4, 128)},
    "rings": {"default": 4, "range": (1, 6)},
    "drop": {"default": 0.1, "range": (0.0, 0.5), "value": True},
}
"""``width`` filters in each of ``rings`` convolutions; ``drop`` is the dropout rate after them."""
HALVINGS = 0


def build(
    hyperparameters: Mapping[str, Any],
    *,
    classes: int,
    precision: str,
    seed: int,
    dropout: MakeDropout,
    bands: int = 3,
) -> keras.Model:
    """Builds the network; see :class:`bohb_seg.training.graph.architecture.Build`."""
    images = keras.Input((None, None, bands), dtype="float32", name="image")
    x = to_unit(images)
    for ring in range(hyperparameters["rings"]):
        x = layers.Conv2D(
            hyperparameters["width"],
            3,
            padding="same",
            dilation_rate=2**ring,
            activation="relu",
            kernel_initializer=keras.initializers.HeNormal(seed + ring),
            dtype=precision,
        )(x)
    if hyperparameters["drop"]:
        x = dropout("drop", 1.0, precision)(x)
    initializer = keras.initializers.GlorotUniform(seed)
    x = layers.Conv2D(classes, 1, kernel_initializer=initializer, dtype=precision)(x)
    return keras.Model(images, layers.Softmax(dtype="float32")(x), name="dilated")
