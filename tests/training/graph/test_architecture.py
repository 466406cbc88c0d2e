"""Models whose hyperparameters have nothing in common with those of the U-Net."""

import numpy as np
import pytest
from helpers import small_network as small

from bohb_seg import hyperparameters
from bohb_seg.training.recipe import as_json, parse

pytestmark = pytest.mark.training

TWO_RATES = """
HYPERPARAMETERS = {
    "widths": {"default": "even", "choices": ("even", "rising")},
    "early": {"default": 0.1, "range": (0.0, 0.9), "value": True},
    "late": {"default": 0.0, "range": (0.0, 0.9), "value": True},
}
HALVINGS = 0
"""
NO_HYPERPARAMETERS = "HYPERPARAMETERS = {}\nHALVINGS = 0"


def build_with_two_rates(hyperparameters, *, classes, precision, seed, dropout):
    from keras import Input, Model, layers

    images = Input((None, None, 3))
    x = images
    widths = {"even": (8, 8), "rising": (8, 16)}[hyperparameters["widths"]]
    for width, rate in zip(widths, ("early", "late"), strict=True):
        x = convolution(x, width, seed, precision, "relu")
        if hyperparameters[rate]:
            x = dropout(rate, 1.0, precision)(x)
    x = convolution(x, classes, seed, precision)
    return Model(images, layers.Softmax(dtype="float32")(x))


def build_without_hyperparameters(hyperparameters, *, classes, precision, seed, dropout):
    from keras import Input, Model, layers

    assert hyperparameters == {}
    images = Input((None, None, 3))
    x = convolution(images, classes, seed, precision)
    return Model(images, layers.Softmax(dtype="float32")(x))


def convolution(x, width, seed, precision, activation=None):
    from keras import initializers, layers

    initializer = initializers.GlorotUniform(seed)
    return layers.Conv2D(
        width,
        3,
        padding="same",
        activation=activation,
        kernel_initializer=initializer,
        dtype=precision,
    )(x)


@pytest.fixture
def trainer(tmp_path):
    """Makes a trainer of a model that states and builds what it is given."""

    def trainer(text, build, micro=None, **configuration):
        from bohb_seg.training.graph.architecture import Architecture
        from bohb_seg.training.trainer import Trainer, TrainingSpec

        file = tmp_path / f"{build.__name__}.py"
        file.write_text(text)
        model = hyperparameters.of_model(file)
        recipe = parse({"batch_size": 4, "optimizer": "sgd", **configuration}, model)
        architecture = Architecture(str(file), build, model.rates)
        spec = TrainingSpec(recipe, architecture, small.CLASSES, "float32", small.PATCHES, 9)
        return Trainer(spec, small.seeds(0), micro)

    return trainer


def trained(here):
    data = small.part()
    here.epoch(data.images, data.labels, small.seeds(1))
    weights = small.weights(here)
    here.close()
    return weights


@pytest.mark.parametrize(
    ("text", "build"),
    [(TWO_RATES, build_with_two_rates), (NO_HYPERPARAMETERS, build_without_hyperparameters)],
)
def test_a_model_trains_by_its_own_hyperparameters_in_parts_and_whole(trainer, text, build):
    configuration = {"learning_rate": 0.5, "loss": "ce"}
    if build is build_with_two_rates:
        configuration |= {"early": 0.0}
    before = small.weights(trainer(text, build, **configuration))
    whole = trained(trainer(text, build, **configuration))
    parts = trained(trainer(text, build, 2, **configuration))
    assert np.abs(whole - before).max() > 1e-3
    np.testing.assert_allclose(parts, whole, atol=5e-5)


def test_each_rate_is_a_value_of_its_own(trainer):
    """Configurations share a compiled model unless a rate is zero in one of them."""

    def make(**rates):
        return trainer(TWO_RATES, build_with_two_rates, learning_rate=0.5, loss="ce", **rates)

    def shape(**rates):
        here = make(**rates)
        found = here._compiled
        here.close()
        return found

    assert shape(early=0.1, late=0.2) is shape(early=0.5, late=0.9)
    assert shape(early=0.1, late=0.0) is not shape(early=0.1, late=0.2)
    low, high, other = (
        trained(make(early=early, late=late))
        for early, late in ((0.1, 0.2), (0.1, 0.8), (0.8, 0.2))
    )
    assert np.abs(low - high).max() > 1e-3
    assert np.abs(low - other).max() > 1e-3
    assert np.abs(high - other).max() > 1e-3


def test_a_recipe_names_both_halves_of_its_hyperparameters(trainer):
    here = trainer(TWO_RATES, build_with_two_rates, widths="rising", batch_size=3)
    facts = as_json(here._recipe)
    assert (facts["widths"], facts["early"], facts["batch_size"]) == ("rising", 0.1, 3)
    assert "depth" not in facts
