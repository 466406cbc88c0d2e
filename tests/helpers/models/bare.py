"""A model without hyperparameters: each pixel is classified by its own colour."""

from keras import Input, Model, layers

HYPERPARAMETERS = {}
HALVINGS = 0


def build(hyperparameters, *, classes, precision, seed, dropout):
    assert hyperparameters == {}
    images = Input((None, None, 3))
    x = layers.Rescaling(1 / 255)(images)
    x = layers.Conv2D(classes, 1, kernel_initializer="zeros", dtype=precision)(x)
    return Model(images, layers.Softmax(dtype="float32")(x))
