"""The nouns, and the table of facts that a worker reports."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bohb_seg.trials import (
    COMPARISON_BRACKET,
    RUNOFF_BRACKET,
    EvaluationId,
    Info,
    TrialId,
    evaluation_name,
    misfits,
    trial_name,
)

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
        parts={"test": {"loss": 0.5, "confusion": [[1, 2], [3, 4]]}},
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
            TrialId(RUNOFF_BRACKET, 0, 1),
            "candidate 1, seed 1",
            "candidate 1 trained again for 9 epochs, seed 1",
        ),
    ],
)
def test_names_for_people(trial, name, evaluation):
    assert trial_name(trial) == name
    assert evaluation_name(EvaluationId(trial, 9.0)) == evaluation
