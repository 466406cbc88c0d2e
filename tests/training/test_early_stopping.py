"""What is lost is not trained to its end, and what is not lost is."""

import json

import numpy as np
import pytest
from helpers import scenes
from hypothesis import given
from hypothesis import strategies as st

from bohb_seg.training import early_stopping, evaluation
from bohb_seg.training.checkpoints import EpochRecord
from bohb_seg.training.evaluation import evaluate
from bohb_seg.training.interruption import Interrupted, Interruption
from bohb_seg.training.metrics import PixelSums

training = pytest.mark.training

LABELS = np.tile(np.arange(3, dtype=np.uint8), (4, 4, 4))[:, :, :4]
"""(4, 4, 4) pixels of three classes."""


def record(epoch, constant=True, train_loss=1.3, validation_loss=1.3):
    return EpochRecord(epoch, train_loss, validation_loss, 0.1, 0.4, 1e-2, 1.0, constant)


def history(*epochs):
    return tuple(record(number, *epoch) for number, epoch in enumerate(epochs, start=1))


# --- one answer to everything -----------------------------------------------------------------


def scores(per_patch):
    """Probabilities (n, 4, 4, 3) with the same three scores at every pixel of a patch."""
    return np.broadcast_to(np.array(per_patch, np.float32)[:, None, None], (4, 4, 4, 3))


@pytest.mark.parametrize(
    ("per_patch", "constant"),
    [
        ([[1, 0, 0]] * 4, True),  # saturated
        ([[0.5, 0.3, 0.2]] * 4, True),  # dead activations: the classes' frequencies
        ([[0.5, 0.3, 0.2]] * 3 + [[0.51, 0.29, 0.2]], False),  # one class, but it looks
        ([[0.5, 0.3, 0.2]] * 3 + [[0.3, 0.5, 0.2]], False),
    ],
)
def test_constant_is_who_does_not_look_at_the_image(per_patch, constant):
    assert early_stopping.is_constant(PixelSums.of(scores(per_patch), LABELS)) is constant


def test_equal_sums_of_different_answers_are_not_constant():
    answers = np.array(scores([[0.6, 0.2, 0.2]] * 4))
    answers[:, 0] = [0.2, 0.6, 0.2]
    assert not early_stopping.is_constant(PixelSums.of(answers, LABELS))


def test_one_patch_does_not_tell_whether_a_network_looks():
    alone = scores([[0.6, 0.2, 0.2]] * 4)[:1]
    assert not early_stopping.is_constant(PixelSums.of(alone, LABELS[:1]))
    labels = LABELS[:2].copy()
    labels[1] = 255
    assert not early_stopping.is_constant(PixelSums.of(scores([[0.6, 0.2, 0.2]] * 4)[:2], labels))


def test_ignored_patches_hide_no_collapse():
    labels = LABELS.copy()
    labels[1] = 255
    assert early_stopping.is_constant(PixelSums.of(scores([[1, 0, 0]] * 4), labels))


@pytest.mark.parametrize(
    ("epochs", "collapsed"),
    [
        ([(False, 1.0), (True, 1.4), (True, 1.4)], True),
        ([(True, 1.4), (True, 1.399)], True),
        ([(True, 1.4)], False),
        ([(True, 1.4), (False, 1.4), (True, 1.4)], False),
        ([(True, 1.4), (True, 1.4), (False, 1.4)], False),
        ([(True, 1.08), (True, 0.82)], False),  # batch normalisation: it learns nevertheless
        ([], False),
    ],
)
def test_collapsed_is_who_was_constant_and_learnt_nothing(epochs, collapsed):
    assert early_stopping.has_collapsed(history(*epochs)) is collapsed
    assert early_stopping.reason(history(*epochs)) == ("collapsed" if collapsed else None)


# --- patience ---------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 6), min_size=1, max_size=30), st.integers(1, 6))
def test_patience_ends_at_the_first_epoch_after_so_many_without_a_lower_loss(losses, patience):
    epochs, best = (), None
    for number, loss in enumerate(losses, start=1):
        epochs += (record(number, False, 1.0, loss / 7),)
        if early_stopping.improves(epochs, best):
            best = number
        assert best == 1 + int(np.argmin(losses[:number]))  # the first of equal ones
        assert early_stopping.reason(epochs, best) is None
        if early_stopping.reason(epochs, best, patience):
            break
    seen = losses[: len(epochs)]
    ends = [e for e in range(1, len(losses) + 1) if e - 1 - np.argmin(losses[:e]) >= patience]
    assert len(seen) == (ends[0] if ends else len(losses))


# --- real networks ----------------------------------------------------------------------------

WILD = {
    **{"batch_size": 4, "base_filters": 8, "depth": 2, "dropout": 0.0, "activation": "relu"},
    **{"optimizer": "adam", "learning_rate": 1.0},
}
LEARNS = {**WILD, "learning_rate": 1e-2}
COMPARISON = (-1, 1, 0)
SEARCH = (0, 0, 4)


@pytest.fixture
def train(settings, data, tmp_path):
    def train(configuration, epochs, trial=SEARCH, folder="run", interruption=None, patience=None):
        job = scenes.job(trial, configuration, float(epochs), tmp_path / folder)
        return evaluate(settings(patience=patience), data, job, interruption)

    return train


@training
def test_a_collapsed_network_ends_its_evaluation_with_its_true_loss(train, monkeypatch, caplog):
    caplog.set_level("INFO")
    result = train(WILD, 9)
    info = result["info"]
    assert info["stopped"] == "collapsed"
    assert info["epochs"] == info["epochs_trained"] == len(info["curves"]["epoch"]) < 6
    assert f"(0, 0, 4) ends after epoch {info['epochs']}/9: collapsed" in caplog.text
    json.dumps(info, allow_nan=False)
    monkeypatch.setattr(early_stopping, "COLLAPSED_EPOCHS", 10)
    to_the_end = train(WILD, 9, folder="to the end")
    assert to_the_end["info"]["stopped"] is None
    assert to_the_end["info"]["epochs_trained"] == 9
    assert result["loss"] == pytest.approx(to_the_end["loss"], abs=1e-4)


@training
def test_a_collapsed_network_that_is_promoted_all_the_same_costs_nothing(train, monkeypatch):
    first = train(WILD, 9)
    monkeypatch.setattr(evaluation, "MemoryAwareTrainer", None)  # no network is built
    again = train(WILD, 27)
    assert again["loss"] == pytest.approx(first["loss"], abs=1e-6)
    facts = [again["info"][name] for name in ("stopped", "epochs_trained", "continued_from")]
    assert facts == ["collapsed", 0, first["info"]["epochs"]]
    assert again["info"]["curves"] == first["info"]["curves"]
    for name in ("miou", "accuracy"):
        assert again["info"][name] == pytest.approx(first["info"][name], abs=1e-6)


@training
def test_a_collapsed_arm_of_the_comparison_is_scored_as_it_is(train, tmp_path):
    result = train(WILD, 9, COMPARISON)
    assert result["info"]["stopped"] == "collapsed"
    assert result["loss"] == pytest.approx(result["info"]["curves"]["validation_loss"][-1], 1e-5)
    assert (tmp_path / "run" / result["info"]["artefacts"] / "model.keras").is_file()


@training
def test_patience_ends_the_comparison_and_keeps_the_best_weights(train):
    result = train(LEARNS, 60, COMPARISON, patience=2)
    info, curve = result["info"], result["info"]["curves"]["validation_loss"]
    assert info["stopped"] == "patience"
    assert info["epochs_trained"] == len(curve) == info["best_epoch"] + 2 < 60
    assert info["best_epoch"] == 1 + int(np.argmin(curve))
    assert result["loss"] == pytest.approx(min(curve), abs=1e-5)
    assert result["loss"] != pytest.approx(curve[-1], abs=1e-4)


@training
def test_the_best_weights_are_kept_where_no_epoch_is_saved(train):
    result = train(LEARNS, 4, COMPARISON, patience=4)
    curve = result["info"]["curves"]["validation_loss"]
    assert result["info"]["stopped"] is None
    assert result["info"]["best_epoch"] == 1 + int(np.argmin(curve)) < 4
    assert result["loss"] == pytest.approx(min(curve), abs=1e-5)


@training
def test_best_weights_survive_an_interruption(train):
    expected = train(LEARNS, 60, COMPARISON, "undisturbed", patience=2)
    best_epoch = expected["info"]["best_epoch"]
    interruption = Interruption()
    checks = iter(range(1000))
    interruption.check = lambda: next(checks) <= best_epoch or _end()
    with pytest.raises(Interrupted):
        train(LEARNS, 60, COMPARISON, interruption=interruption, patience=2)
    result = train(LEARNS, 60, COMPARISON, patience=2)
    assert result["info"]["continued_from"] == best_epoch + 1
    assert result["info"]["best_epoch"] == best_epoch
    assert result["loss"] == pytest.approx(expected["loss"], abs=1e-5)


def _end():
    raise Interrupted("told to")


@training
def test_a_result_that_was_lost_is_scored_with_the_best_weights_again(train):
    first = train(LEARNS, 60, COMPARISON, patience=2)
    again = train(LEARNS, 60, COMPARISON, patience=2)
    assert again["info"]["epochs_trained"] == 0
    assert again["info"]["stopped"] == "patience"
    assert again["info"]["best_epoch"] == first["info"]["best_epoch"]
    assert again["loss"] == pytest.approx(first["loss"], abs=1e-6)


@training
def test_the_search_has_no_patience(train):
    patient = train(LEARNS, 12, patience=1)
    plain = train(LEARNS, 12, folder="plain")
    assert patient["info"]["epochs_trained"] == 12
    assert patient["info"]["best_epoch"] is None
    assert patient["loss"] == pytest.approx(plain["loss"], abs=1e-5)
