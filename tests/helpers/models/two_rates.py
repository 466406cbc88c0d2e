"""A model without any hyperparameter of the U-Net, and with two dropout rates."""

from keras import Input, Model, initializers, layers

HYPERPARAMETERS = {
    "widths": {"default": "even", "choices": ("even", "rising")},
    "early": {"default": 0.1, "range": (0.0, 0.9), "value": True},
    "late": {"default": 0.0, "range": (0.0, 0.9), "value": True},
}
HALVINGS = 0
WIDTHS = {"even": (8, 8), "rising": (8, 16)}


def build(hyperparameters, *, classes, precision, seed, dropout):
    x = images = Input((None, None, 3))
    widths = WIDTHS[hyperparameters["widths"]]
    for width, rate in zip(widths, ("early", "late"), strict=True):
        x = convolution(x, width, seed, precision, "relu")
        if hyperparameters[rate]:
            x = dropout(rate, 1.0, precision)(x)
    x = convolution(x, classes, seed, precision)
    return Model(images, layers.Softmax(dtype="float32")(x))


def convolution(x, width, seed, precision, activation=None):
    initializer = initializers.GlorotUniform(seed)
    return layers.Conv2D(
        width,
        3,
        padding="same",
        activation=activation,
        kernel_initializer=initializer,
        dtype=precision,
    )(x)
