"""Which checkpoint fits which evaluation."""

import dataclasses

import pytest
from helpers.commands import ROOT

from bohb_seg.training.job import Job, checkpoint_key

RECIPE = {"learning_rate": 1e-3}
EVERYTHING = {
    **{"optimizer": "adamw", "learning_rate": 2e-3, "weight_decay": 1e-4, "schedule": "cosine"},
    **{"batch_size": 8, "base_filters": 24, "depth": 3, "norm": "group", "dropout": 0.1},
    **{"activation": "leaky_relu", "loss": "dice+focal", "region_weight": 0.6},
    **{"focal_gamma": 1.5, "augmentation": 0.5},
}
OF_THE_REPORTS = {"batch_size": 8, "learning_rate": 0.007, "activation": "tanh"}


@pytest.fixture
def key(settings, data, tmp_path):
    """The key of an evaluation; a function of what may differ."""

    def of(config_id=(0, 0, 0), budget=3.0, recipe=RECIPE, **changed):
        return checkpoint_key(settings(**changed), data, Job(config_id, recipe, budget, tmp_path))

    return of


def test_a_promoted_trial_goes_on_from_its_checkpoint(key):
    assert key(budget=3.0) == key(budget=9.0)


def test_without_continuing_only_an_interrupted_evaluation_goes_on(key):
    low, high = key(budget=3.0, continue_=False), key(budget=9.0, continue_=False)
    assert len({low, high, key()}) == 3
    assert low == key(budget=3.0, continue_=False)


def test_every_trial_of_every_phase_has_its_own(key):
    searched = [(0, 0, 0), (0, 0, 1), (0, 1, 0), (1, 0, 0)]
    trials = [*searched, (-1, 0, 0), (-2, 0, 0), (-2, 1, 0), (-3, 0, 0), (-3, 0, 1), (-3, 1, 0)]
    assert len({key(trial) for trial in trials}) == len(trials)


def test_the_runoff_has_the_schedule_of_the_search_and_the_comparison_its_own(key):
    assert key((-2, 0, 0), 3.0) == key((-2, 0, 0), 9.0)
    assert key((-1, 0, 0), 3.0) != key((-1, 0, 0), 9.0)
    assert key((-3, 0, 0), 3.0) != key((-3, 0, 0), 9.0)


def test_another_split_of_the_same_data_is_another_training(settings, data, tmp_path):
    job = Job((-3, 0, 0), RECIPE, 3.0, tmp_path)
    other = dataclasses.replace(data, split_hash="other")
    assert checkpoint_key(settings(), data, job) != checkpoint_key(settings(), other, job)


@pytest.mark.parametrize(
    "changed", [{"seed": 4}, {"max_budget": 81.0}, {"objective": "milestone3"}]
)
def test_another_training_does_not_go_on(key, changed):
    assert key(**changed) != key()


def test_only_the_comparison_is_one(tmp_path):
    jobs = [Job((bracket, 0, 0), RECIPE, 3.0, tmp_path) for bracket in (0, 1, -1, -2, -3)]
    assert [job.is_comparison for job in jobs] == [False, False, True, False, False]
    assert [job.is_of_arm for job in jobs] == [False, False, True, False, True]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (
            {"recipe": EVERYTHING},
            "22012de2c98057022bfe75d412c06a0a145778ed136be295c246b522fbbf0d3d",
        ),
        ({"recipe": {}}, "f9d9455bdb0a1bcfc3f374d7ee6e4e3342bd0449bd89c6990bf0b057834c7503"),
        (
            {
                "recipe": OF_THE_REPORTS,
                **{"preset": "milestone3", "objective": "milestone3", "split": "patch"},
            },
            "5af6bab230f8d4ea5e5835a4f9eaced65e7a7ce0899dfba190c5b0c06f0f9b3c",
        ),
        (
            {
                "recipe": {"optimizer": "sgd", "sgd_learning_rate": 0.05, "dropout": 0},
                **{"config_id": (-1, 1, 2), "budget": 9.0, "continue_": False},
            },
            "27f7d9e24e485bdb27d7bf6b68d961f42b05cc28ce6b58cdd406a5297612e5da",
        ),
    ],
)
def test_checkpoints_of_version_3d717ab_are_still_used(key, asked, expected):
    """The keys were computed by that version, for a model without the hyperparameter scaling."""
    assert key(**asked) == expected


def test_another_scaling_than_that_of_the_preset_is_another_training(key):
    assert key(recipe={"scaling": "unit"}) == key(recipe={})
    assert key(recipe={"scaling": "patch"}) != key(recipe={})
    of_reports = {"preset": "milestone3"}
    assert key(recipe={"scaling": "patch"}, **of_reports) == key(recipe={}, **of_reports)
    assert key(recipe={"scaling": "unit"}, **of_reports) != key(recipe={}, **of_reports)


def test_a_model_that_was_given_by_path_is_known_by_its_content(key, tmp_path):
    files = [tmp_path / name for name in ("one.py", "other.py", "changed.py")]
    text = (ROOT / "tests/helpers/models/two_rates.py").read_text()
    for file, content in zip(files, (text, text, text.replace("16", "24")), strict=True):
        file.write_text(content)
    one, other, changed = (key(recipe={"early": 0.2}, model=str(file)) for file in files)
    assert one == other
    assert len({one, changed, key()}) == 3
