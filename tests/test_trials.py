"""The nouns, and the table of facts that a worker reports."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bohb_seg.trials import (
    COMPARISON_BRACKET,
    FOLDS_BRACKET,
    MOST_GROUPS,
    RUNOFF_BRACKET,
    EvaluationId,
    Info,
    TrialId,
    checkpoint_epochs,
    checkpoint_file,
    checkpoint_folder,
    comparison_folder,
    evaluation_name,
    misfits,
    seed_and_fold,
    trial_key,
    trial_name,
)

GROUP = {"confusion": [[1, 2], [3, 4]], "loss": 0.5}
FACTS = sorted(Info().plain())
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


def test_facts_come_back_as_they_were_reported():
    info = Info(
        epochs=9,
        epochs_trained=6,
        continued_from=3,
        stopped="collapsed",
        curves={"epoch": [1, 2], "validation_loss": [0.5, None]},
        iou={"road": 0.25, "water": None},
        averaged=True,
        parts={"test": {"loss": 0.5, "confusion": [[1, 2], [3, 4]], "groups": {"Tile 1": GROUP}}},
        micro_batches={"cpu | unet": 4},
        other={"mine": [1, "two"]},
    )
    assert Info.read(json.loads(json.dumps(info.plain(), allow_nan=False))) == info


@given(st.dictionaries(st.sampled_from(FACTS) | st.text(max_size=8), anything, max_size=6))
def test_whatever_a_worker_reports_can_be_read(told):
    info, wrong = Info.read(told), dict(misfits(told))
    assert set(wrong) <= set(FACTS)
    for name, value in told.items():
        if name in wrong:
            assert getattr(info, name) == getattr(Info(), name)
        elif name in FACTS:
            assert getattr(info, name) is value
        else:
            assert info.other[name] is value
    assert not list(misfits(info.plain()))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", True),
        ("epochs_trained", "3"),
        ("epochs_trained", [3]),
        ("best_epoch", 2.5),
        ("curves", {"epoch": 3}),
        ("iou", [0.5]),
        ("artefacts", 7),
        ("micro_batches", {"cpu": "4"}),
        ("seconds", float("nan")),
        ("peak_memory_mb", float("inf")),
        ("averaged", 1),
        ("parts", {"test": {"groups": {"a": {"confusion": [[1, -2], [0, 1]], "loss": 0.5}}}}),
        ("parts", {"test": {"groups": {"a": {"confusion": [[1, 2.5], [0, 1]], "loss": 0.5}}}}),
        ("parts", {"test": {"groups": {"a": {"loss": 0.5}}}}),
        ("parts", {"test": {"groups": [1]}}),
        ("parts", {"test": {"groups": {str(n): GROUP for n in range(MOST_GROUPS + 1)}}}),
    ],
)
def test_facts_of_a_wrong_type_are_left_out(name, value):
    told = {name: value, "epochs": 3, "own": 1} if name != "epochs" else {name: value, "own": 1}
    assert [wrong for wrong, _ in misfits(told)] == [name]
    assert getattr(Info.read(told), name) == getattr(Info(), name)
    assert Info.read(told).other == {"own": 1}


def test_a_table_of_facts_has_every_name():
    assert Info.read({"x": 1}).plain() == {**Info().plain(), "x": 1}


@pytest.mark.parametrize(
    ("trial", "name", "evaluation"),
    [
        (TrialId(2, 0, 7), "2-0-7", "trial 2-0-7 after 9 epochs"),
        (
            TrialId(COMPARISON_BRACKET, 0, 1),
            "default, seed 1",
            "default retrained for 9 epochs, seed 1",
        ),
        (
            TrialId(COMPARISON_BRACKET, 1, 2),
            "incumbent, seed 2",
            "incumbent retrained for 9 epochs, seed 2",
        ),
        (
            TrialId(COMPARISON_BRACKET, 2, 0),
            "incumbent2, seed 0",
            "incumbent2 retrained for 9 epochs, seed 0",
        ),
        (
            TrialId(FOLDS_BRACKET, 1, 7),
            "incumbent on folds, number 7",
            "incumbent retrained on folds for 9 epochs, number 7",
        ),
        (
            TrialId(RUNOFF_BRACKET, 0, 1),
            "candidate 1, seed 1",
            "candidate 1 trained again for 9 epochs, seed 1",
        ),
    ],
)
def test_names_for_people(trial, name, evaluation):
    assert trial_name(trial) == name
    assert evaluation_name(EvaluationId(trial, 9.0)) == evaluation


# --- files of a trial -------------------------------------------------------------------------


def test_keys_and_folders_of_trials():
    assert trial_key(TrialId(0, 1, 12)) == "0-1-12"
    assert trial_key((-1, 0, 2)) == "-1-0-2"
    assert checkpoint_folder(TrialId(0, 1, 12)) == "checkpoints/0-1-12"
    assert comparison_folder(TrialId(COMPARISON_BRACKET, 0, 2)) == "comparison/default-2"
    assert comparison_folder(TrialId(COMPARISON_BRACKET, 1, 0)) == "comparison/incumbent-0"
    assert comparison_folder(TrialId(COMPARISON_BRACKET, 2, 0)) == "comparison/incumbent2-0"
    assert comparison_folder(TrialId(FOLDS_BRACKET, 0, 7)) == "comparison/default-fold-7"


def test_a_retraining_on_folds_knows_its_seed_and_its_fold():
    assert [seed_and_fold(number, 3) for number in (0, 2, 3, 7)] == [(0, 0), (0, 2), (1, 0), (2, 1)]


@given(st.integers(0, 10**7))
def test_a_checkpoint_says_how_many_epochs_it_has_seen(epochs):
    assert checkpoint_epochs(checkpoint_file(epochs)) == epochs


def test_checkpoints_of_one_trial_sort_by_their_epochs():
    names = [checkpoint_file(epochs) for epochs in (3, 20, 100, 99_999)]
    assert names == sorted(names)
    assert names[0] == "epoch-00003.npz"


@pytest.mark.parametrize(
    "name",
    ["epoch-.npz", "epoch-1.txt", "xepoch-1.npz", "epoch-1.npz\n", "epoch--1.npz", "epoch-१.npz"],
)
def test_other_files_are_no_checkpoints(name):
    assert checkpoint_epochs(name) is None
