import pytest
from helpers.small_network import UNET

from bohb_seg.errors import SettingsError
from bohb_seg.training import recipe
from bohb_seg.training.recipe import as_json


def parse(configuration, preset="default"):
    return recipe.parse(configuration, UNET, preset)


def test_an_empty_configuration_is_the_untuned_script_of_the_milestone_3_reports():
    assert as_json(parse({})) == {
        "optimizer": "adam",
        "learning_rate": 1e-3,
        "weight_decay": 0.0,
        "schedule": "constant",
        "batch_size": 16,
        "val_batch_size": None,
        "base_filters": 16,
        "depth": 4,
        "norm": "none",
        "activation": "relu",
        "dropout": 0.2,
        "scaling": "unit",
        "loss": "reports",
        "region_weight": 0.5,
        "focal_gamma": 2.0,
        "augmentation": None,
    }


def test_a_model_may_have_other_defaults_under_a_preset():
    assert parse({}, "milestone3").model["scaling"] == "patch"
    assert parse({"scaling": "unit"}, "milestone3").model["scaling"] == "unit"


def test_every_hyperparameter_of_the_default_space_is_known():
    configuration = {
        "optimizer": "adamw",
        "learning_rate": 2e-3,
        "weight_decay": 1e-4,
        "schedule": "cosine",
        "batch_size": 8,
        "base_filters": 24,
        "depth": 3,
        "norm": "group",
        "activation": "leaky_relu",
        "dropout": 0.1,
        "loss": "dice+focal",
        "region_weight": 0.6,
        "focal_gamma": 1.5,
        "augmentation": 0.5,
    }
    read = as_json(parse(configuration))
    assert {name: read[name] for name in configuration} == configuration


@pytest.mark.parametrize(
    ("configuration", "rate"),
    [
        ({"optimizer": "sgd", "sgd_learning_rate": 0.05}, 0.05),
        ({"optimizer": "sgd", "learning_rate": 0.03}, 0.03),
        ({"optimizer": "sgd"}, 0.01),
        ({"optimizer": "adam", "learning_rate": 0.002, "sgd_learning_rate": 0.05}, 0.002),
    ],
)
def test_sgd_may_have_a_learning_rate_of_its_own(configuration, rate):
    assert parse(configuration).learning_rate == rate


def test_whole_numbers_may_be_written_as_floats():
    read = parse({"batch_size": 8.0, "base_filters": 24.0, "depth": 3.0})
    sizes = (read.batch_size, read.model["base_filters"], read.model["depth"])
    assert sizes == (8, 24, 3)
    assert all(type(size) is int for size in sizes)


@pytest.mark.parametrize(
    ("configuration", "words"),
    [
        ({"batchsize": 4}, "'batchsize'.*batch_size"),
        ({"optimizer": "lion"}, "optimizer has the value 'lion'.*adam, adamw, sgd"),
        ({"batch_size": 0}, "batch_size has the value 0.*whole number from 1"),
        ({"batch_size": 2.5}, "batch_size has the value 2.5"),
        ({"batch_size": True}, "batch_size has the value True"),
        ({"dropout": "much"}, "dropout has the value 'much'"),
        ({"learning_rate": float("nan")}, "learning_rate has the value nan"),
    ],
)
def test_what_training_cannot_use_is_one_sentence(configuration, words):
    with pytest.raises(SettingsError, match=words):
        parse(configuration)
