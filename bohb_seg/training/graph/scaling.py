"""What happens to pixel values before the first convolution, inside the model.

Inside, so that a saved model takes images as they are, and so that uint8 instead of float travels
to the device. Only Keras' own layers and operations: saved models load without custom objects.
"""

from typing import Any, Literal

from keras import layers, ops

Scaling = Literal["unit", "patch"]
"""``unit``: 0..255 becomes 0..1; ``patch``: each channel of each patch is stretched to 0..1."""


def scaled(images: Any, scaling: Scaling) -> Any:
    """Scales images (b, h, w, 3) of 0..255; computed in float32."""
    if scaling == "unit":
        return layers.Rescaling(1 / 255, dtype="float32")(images)
    lowest = ops.min(images, axis=(1, 2), keepdims=True)
    highest = ops.max(images, axis=(1, 2), keepdims=True)
    # A constant channel becomes 0, as scikit-learn's MinMaxScaler has it; others span >= 1 level.
    return ops.divide(ops.subtract(images, lowest), ops.maximum(ops.subtract(highest, lowest), 1))
