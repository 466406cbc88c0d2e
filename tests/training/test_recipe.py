import pytest

from bohb_seg.errors import SettingsError
from bohb_seg.training.recipe import Recipe, parse


def test_an_empty_configuration_is_the_reports_untuned_script():
    assert parse({}) == Recipe(
        optimizer="adam", learning_rate=1e-3, batch_size=16, activation="relu", loss="reports"
    )


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
    assert parse(configuration) == Recipe(**configuration)


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
    recipe = parse({"batch_size": 8.0, "base_filters": 24.0, "depth": 3.0})
    assert (recipe.batch_size, recipe.base_filters, recipe.depth) == (8, 24, 3)
    assert all(type(size) is int for size in (recipe.batch_size, recipe.base_filters, recipe.depth))


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
        ({"norm": "group", "base_filters": 12}, "base_filters 12.*multiples of 8"),
    ],
)
def test_what_training_cannot_use_is_one_sentence(configuration, words):
    with pytest.raises(SettingsError, match=words):
        parse(configuration)
