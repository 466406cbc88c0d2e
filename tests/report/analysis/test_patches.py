import numpy as np
import pytest
from helpers.journals import run

from bohb_seg.report.analysis import patches
from bohb_seg.report.analysis.precision_recall import load_histograms

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


def test_trivial_patches_are_left_out_and_the_incumbent_orders():
    labels = [HALVES, HALVES, np.zeros((2, 2)), np.full((2, 2), 255), HALVES]
    incumbent = [HALVES, 1 - HALVES, np.zeros((2, 2)), HALVES, [[0, 1], [0, 0]]]
    found = patches.rated(made(labels, default=[HALVES] * 5, incumbent=incumbent))
    assert [each.index for each in found] == [1, 4, 0]
    assert [each.accuracies["incumbent"] for each in found] == [0.0, 0.75, 1.0]
    assert [each.accuracies["default"] for each in found] == [1.0, 1.0, 1.0]


def test_best_and_worst_are_in_increasing_accuracy():
    random = np.random.default_rng(0)
    labels = np.tile(np.array([[0, 1] * 8] * 16), (25, 1, 1))
    found = patches.rated(made(labels, incumbent=random.integers(0, 2, labels.shape)))
    scores = [each.accuracies["incumbent"] for each in found]
    best = [each.accuracies["incumbent"] for each in patches.best(found)]
    worst = [each.accuracies["incumbent"] for each in patches.worst(found)]
    assert (best, worst) == (sorted(scores)[-10:], sorted(scores)[:10])


def test_missing_artefacts_are_none(tmp_path):
    its = run(directory=tmp_path)
    assert patches.load(its, {}) is None
    assert patches.load(its, {"incumbent": tmp_path}) is None
    assert load_histograms(tmp_path, "test", 5) is None
