import numpy as np
import pytest

from bohb_seg.report import patches
from bohb_seg.report.figures_patches import coloured

HALVES = np.array([[0, 1], [0, 1]], dtype=np.uint8)


def made(labels, **predictions):
    labels = np.array(labels, dtype=np.uint8)
    return patches.Patches(
        images=np.zeros((*labels.shape, 3), dtype=np.uint8),
        labels=labels,
        sources=tuple(f"p{index}" for index in range(len(labels))),
        class_names=("a", "b"),
        class_colours=((0, 0, 0), (200, 0, 0)),
        predictions={name: np.array(its, dtype=np.uint8) for name, its in predictions.items()},
    )


def test_sum_of_squares_counts_only_what_counts():
    assert patches.sum_of_squares(HALVES, 2) == 0.5
    assert patches.sum_of_squares(np.array([[0, 0], [0, 1]], np.uint8), 2) == 0.625
    assert patches.sum_of_squares(np.array([[0, 255], [255, 255]], np.uint8), 2) == 1.0
    assert patches.sum_of_squares(np.full((2, 2), 255, np.uint8), 2) is None


def test_accuracy_ignores_the_ignored():
    labels = np.array([[0, 255], [1, 1]], np.uint8)
    assert patches.accuracy(labels, np.array([[0, 0], [1, 0]], np.uint8)) == pytest.approx(2 / 3)


def test_trivial_patches_are_left_out_and_the_tuned_model_orders():
    labels = [HALVES, HALVES, np.zeros((2, 2)), np.full((2, 2), 255), HALVES]
    tuned = [HALVES, 1 - HALVES, np.zeros((2, 2)), HALVES, [[0, 1], [0, 0]]]
    found = patches.choices(made(labels, default=[HALVES] * 5, tuned=tuned))
    assert [each.index for each in found] == [1, 4, 0]
    assert [each.accuracies["tuned"] for each in found] == [0.0, 0.75, 1.0]
    assert [each.accuracies["default"] for each in found] == [1.0, 1.0, 1.0]


def test_best_and_worst_are_in_increasing_accuracy():
    random = np.random.default_rng(0)
    labels = np.tile(np.array([[0, 1] * 8] * 16), (25, 1, 1))
    found = patches.choices(made(labels, tuned=random.integers(0, 2, labels.shape)))
    scores = [each.accuracies["tuned"] for each in found]
    best = [each.accuracies["tuned"] for each in patches.best(found)]
    worst = [each.accuracies["tuned"] for each in patches.worst(found)]
    assert (best, worst) == (sorted(scores)[-10:], sorted(scores)[:10])


def test_maps_are_drawn_in_class_colours_and_ignored_pixels_white():
    drawn = coloured(np.array([[0, 255]], np.uint8), ((10, 20, 30),), 16)
    assert drawn.shape == (16, 16, 3)
    assert drawn[0, 0].tolist() == [10, 20, 30]
    assert (drawn[:, 8:] == 255).all()


def test_classes_of_equal_brightness_differ_by_their_patterns():
    drawn = [coloured(np.full((1, 1), k, np.uint8), ((90, 90, 90),) * 8, 32) for k in range(8)]
    assert len({each.tobytes() for each in drawn}) == 8


def test_missing_artefacts_are_none(tmp_path):
    assert patches.load(tmp_path, {}) is None
    assert patches.load(tmp_path, {"tuned": tmp_path}) is None
    assert patches.histograms(tmp_path, "test") is None
