import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bohb_seg.training import metrics, objectives
from bohb_seg.training.metrics import PixelSums


def predictions(seed, patches=5, edge=6, classes=3, ignored=0.1):
    random = np.random.default_rng(seed)
    labels = random.integers(classes, size=(patches, edge, edge)).astype(np.uint8)
    labels[random.random(labels.shape) < ignored] = 255
    scores = random.dirichlet(np.ones(classes), labels.shape).astype(np.float32)
    return scores, labels


def reports_loss(scores, labels, batch):
    """The reports' validation loss, written down anew: one-hot, batch after batch, no tally."""
    classes = scores.shape[-1]
    truth = np.eye(classes)[labels]
    scores = scores.astype(np.float64)
    total = 0.0
    for start in range(0, len(labels), batch):
        gt, pr = truth[start : start + batch], scores[start : start + batch]
        tp = (gt * pr).sum(axis=(0, 1, 2))
        fp, fn = pr.sum(axis=(0, 1, 2)) - tp, gt.sum(axis=(0, 1, 2)) - tp
        dice = (2 * tp + 1e-5) / (2 * tp + fn + fp + 1e-5)
        clipped = np.clip(pr, 1e-7, 1 - 1e-7)
        focal = -gt * (0.25 * (1 - clipped) ** 2 * np.log(clipped))
        total += (1 - np.mean(0.1666 * dice) + np.mean(focal)) * len(gt)
    return total / len(labels)


@pytest.mark.parametrize("batch", [1, 4, 16, 64])
def test_seed_objective_is_the_reports_formula(batch):
    scores, labels = predictions(1, patches=37, edge=8, classes=6, ignored=0)
    assert objectives.milestone3(PixelSums.of(scores, labels), batch) == pytest.approx(
        reports_loss(scores, labels, batch), abs=1e-6
    )


def test_default_objective_is_dice_of_all_pixels_plus_focal():
    scores, labels = predictions(2)
    valid = labels < 3
    guess, truth = scores.argmax(-1)[valid], labels[valid]
    dice = [
        2 * np.sum((guess == c) & (truth == c)) / (np.sum(guess == c) + np.sum(truth == c))
        for c in range(3)
    ]
    hit = scores[valid][np.arange(len(truth)), truth].astype(float)
    focal = np.mean(-0.25 * (1 - hit) ** 2 * np.log(hit)) / 3
    expected = 1 - np.mean(dice) + focal
    assert objectives.default(PixelSums.of(scores, labels)) == pytest.approx(expected, abs=1e-6)


@given(seed=st.integers(0, 2**32 - 1), cut=st.integers(1, 4))
def test_tallies_of_batches_join_to_the_tally_of_all(seed, cut):
    scores, labels = predictions(seed)
    whole = PixelSums.of(scores, labels)
    joined = PixelSums.join(
        [PixelSums.of(scores[:cut], labels[:cut]), PixelSums.of(scores[cut:], labels[cut:])]
    )
    np.testing.assert_array_equal(joined.confusion, whole.confusion)
    assert objectives.default(joined) == pytest.approx(objectives.default(whole))
    assert objectives.milestone3(joined, 2) == pytest.approx(objectives.milestone3(whole, 2))


@given(seed=st.integers(0, 2**32 - 1))
def test_ignored_pixels_count_nowhere(seed):
    scores, labels = predictions(seed, ignored=0.3)
    changed = scores.copy()
    changed[labels == 255] = np.roll(changed[labels == 255], 1, axis=-1)
    before, after = PixelSums.of(scores, labels), PixelSums.of(changed, labels)
    assert before.confusion.sum() == (labels < 3).sum()
    for name in ("confusion", "hits", "truth", "scores", "focal"):
        np.testing.assert_allclose(getattr(before, name), getattr(after, name))
    for one, other in zip(
        metrics.score_histograms(scores, labels),
        metrics.score_histograms(changed, labels),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)


@given(seed=st.integers(0, 2**32 - 1))
def test_figures_lie_between_none_and_all(seed):
    scores, labels = predictions(seed, classes=4)
    figures = metrics.summary(PixelSums.of(scores, labels), "abcd")
    shares = [figures["miou"], figures["accuracy"], figures["dice"], *figures["iou"].values()]
    assert all(0 <= share <= 1 for share in shares if share is not None)
    assert figures["miou"] <= figures["dice"]


@given(seed=st.integers(0, 2**32 - 1))
def test_histograms_hold_every_valid_pixel_once_per_class(seed):
    scores, labels = predictions(seed)
    positive, negative = metrics.score_histograms(scores, labels)
    valid = labels[labels < 3]
    assert positive.shape == negative.shape == (3, metrics.SCORE_BINS)
    assert positive.sum(axis=1).tolist() == [np.sum(valid == c) for c in range(3)]
    assert (positive + negative).sum(axis=1).tolist() == [len(valid)] * 3


def test_a_perfect_prediction_is_perfect():
    labels = np.array([[[0, 1], [1, 255]]], np.uint8)
    scores = np.eye(3, dtype=np.float32)[np.minimum(labels, 2)]
    tally = PixelSums.of(scores, labels)
    assert objectives.default(tally) == pytest.approx(0, abs=1e-6)
    assert metrics.summary(tally, "abc") == {
        "miou": 1.0,
        "iou": {"a": 1.0, "b": 1.0, "c": None},
        "accuracy": 1.0,
        "precision": {"a": 1.0, "b": 1.0, "c": None},
        "recall": {"a": 1.0, "b": 1.0, "c": None},
        "dice": 1.0,
        "focal": pytest.approx(0, abs=1e-6),
    }
    assert metrics.micro_at_half(*metrics.score_histograms(scores, labels)) == {
        "micro_precision": 1.0,
        "micro_recall": 1.0,
    }


def test_scores_that_are_no_numbers_give_no_loss():
    scores, labels = predictions(3)
    scores[0, 0, 0] = np.nan
    labels[0, 0, 0] = 0
    assert not PixelSums.of(scores, labels).finite
    assert np.isnan(objectives.default(PixelSums.of(scores, labels)))
