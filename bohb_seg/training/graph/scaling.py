"""Scaling of pixel values before the first convolution, inside the model, for model files to use.

Inside, so that a saved model takes images as they are, and so that uint8 instead of float travels
to the device. Only Keras' own layers and operations: saved models load without custom objects.
"""

from collections.abc import Sequence

import keras
from keras import layers, ops

from bohb_seg.training.graph.types import Tensor


def to_unit(images: Tensor) -> Tensor:
    """Scales images (b, h, w, bands) from 0..255 to 0..1; computed in float32."""
    return layers.Rescaling(1 / 255, dtype="float32")(images)


def stretched(images: Tensor) -> Tensor:
    """Stretches each channel of each image (b, h, w, bands) of 0..255 to 0..1, in float32.

    A constant channel becomes 0, as in scikit-learn's ``MinMaxScaler``; others span at least one
    level of 255.
    """
    lowest = ops.min(images, axis=(1, 2), keepdims=True)
    highest = ops.max(images, axis=(1, 2), keepdims=True)
    return ops.divide(ops.subtract(images, lowest), ops.maximum(ops.subtract(highest, lowest), 1))


def taking_values_of_files(
    network: keras.Model, low: Sequence[float], high: Sequence[float]
) -> keras.Model:
    """A model that scales values as files hold them, NaN where there are none, to 0..255 first.

    Args:
        network: Takes (b, h, w, bands) of 0..255.
        low: For each band, the value that becomes 0; none if values stay as they are.
        high: For each band, the value that becomes 255.

    Returns:
        The network itself where values stay as they are. Else a model whose steps before the
        network are those by which data are scaled (``bohb_seg.data.imagery.scaling``), in float32.
    """
    if not low:
        return network
    steps = [255 / (last - first) for first, last in zip(low, high, strict=True)]
    starts = [-first * step for first, step in zip(low, steps, strict=True)]
    images = keras.Input((None, None, len(steps)), dtype="float32", name="image")
    x = layers.Rescaling(steps, starts, dtype="float32")(images)
    x = ops.round(ops.clip(ops.nan_to_num(x), 0, 255))
    return keras.Model(images, network(x), name=network.name)
