import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from bohb_seg.report.analysis.precision_recall import MICRO, class_curves, precision_recall

BINS = 1024


def histograms(scores, truth):
    positive = np.histogram(scores[truth], BINS, (0, 1))[0]
    return positive, np.histogram(scores[~truth], BINS, (0, 1))[0]


def test_a_curve_by_hand():
    curve = precision_recall(np.array([0, 1, 0, 3]), np.array([4, 1, 0, 1]))
    assert curve.recall.tolist() == [0.75, 0.75, 1.0, 1.0]
    assert curve.precision.tolist() == [0.75, 0.75, 4 / 6, 0.4]
    assert curve.average_precision == pytest.approx(0.75 * 0.75 + 0.25 * 4 / 6)
    assert curve.prevalence == 0.4


def test_a_class_without_pixels_has_no_curve():
    assert precision_recall(np.zeros(4, int), np.array([1, 2, 3, 4])) is None


@pytest.mark.parametrize("share", [0.02, 0.3, 0.8])
def test_average_precision_is_that_of_scikit_learn(share):
    random = np.random.default_rng(1)
    truth = random.random(50_000) < share
    scores = np.where(truth, random.beta(3, 2, truth.size), random.beta(2, 3, truth.size))
    curve = precision_recall(*histograms(scores, truth))
    assert curve.average_precision == pytest.approx(
        average_precision_score(truth, scores), abs=1e-3
    )


def test_the_micro_average_pools_pixels_of_all_classes():
    random = np.random.default_rng(2)
    truth = np.eye(3, dtype=bool)[random.integers(0, 3, 20_000)]
    scores = np.clip(truth * 0.3 + random.random(truth.shape) * 0.7, 0, 1)
    pairs = [histograms(scores[:, k], truth[:, k]) for k in range(3)]
    positive, negative = (np.array(each) for each in zip(*pairs, strict=True))
    curves = class_curves("abc", positive, negative)
    expected = average_precision_score(truth, scores, average="micro")
    assert list(curves) == ["a", "b", "c", MICRO]
    assert curves[MICRO].average_precision == pytest.approx(expected, abs=1e-3)


COUNTS = st.lists(st.integers(0, 50), min_size=8, max_size=8).map(np.array)


@settings(deadline=None)
@given(COUNTS.filter(np.any), COUNTS)
def test_curves_stay_in_range_and_end_at_the_prevalence(positive, negative):
    curve = precision_recall(positive, negative)
    assert np.all(np.diff(curve.recall) >= 0)
    assert curve.recall[-1] == 1
    assert curve.precision[-1] == pytest.approx(curve.prevalence)
    assert 0 < curve.average_precision <= 1 + 1e-12
