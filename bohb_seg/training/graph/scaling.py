"""Scaling of pixel values before the first convolution, inside the model, for model files to use.

Inside, so that a saved model takes images as they are, and so that uint8 instead of float travels
to the device. Only Keras' own layers and operations: saved models load without custom objects.
"""

from keras import layers, ops

from bohb_seg.training.graph.types import Tensor


def to_unit(images: Tensor) -> Tensor:
    """Scales images (b, h, w, 3) from 0..255 to 0..1; computed in float32."""
    return layers.Rescaling(1 / 255, dtype="float32")(images)


def stretched(images: Tensor) -> Tensor:
    """Stretches each channel of each image (b, h, w, 3) of 0..255 to 0..1, in float32.

    A constant channel becomes 0, as in scikit-learn's ``MinMaxScaler``; others span at least one
    level of 255.
    """
    lowest = ops.min(images, axis=(1, 2), keepdims=True)
    highest = ops.max(images, axis=(1, 2), keepdims=True)
    return ops.divide(ops.subtract(images, lowest), ops.maximum(ops.subtract(highest, lowest), 1))
