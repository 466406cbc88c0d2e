"""Which checkpoint fits which evaluation."""

import pytest

from bohb_seg.training.job import Job, checkpoint_key

RECIPE = {"learning_rate": 1e-3}


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
    trials = [(0, 0, 0), (0, 0, 1), (0, 1, 0), (1, 0, 0), (-1, 0, 0), (-2, 0, 0), (-2, 1, 0)]
    assert len({key(trial) for trial in trials}) == len(trials)


def test_the_runoff_has_the_schedule_of_the_search_and_the_comparison_its_own(key):
    assert key((-2, 0, 0), 3.0) == key((-2, 0, 0), 9.0)
    assert key((-1, 0, 0), 3.0) != key((-1, 0, 0), 9.0)


@pytest.mark.parametrize(
    "changed", [{"seed": 4}, {"max_budget": 81.0}, {"objective": "milestone3"}]
)
def test_another_training_does_not_go_on(key, changed):
    assert key(**changed) != key()


def test_only_the_comparison_is_one(tmp_path):
    brackets = (0, 1, -1, -2)
    assert [Job((b, 0, 0), RECIPE, 3.0, tmp_path).is_comparison for b in brackets] == [
        *(False, False, True, False)
    ]
