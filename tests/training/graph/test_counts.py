import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bohb_seg.training import objectives
from bohb_seg.training.metrics import PixelSums

pytestmark = pytest.mark.training

seeds = st.integers(0, 2**32 - 1)


def predictions(seed, patches=5, edge=8, classes=3, ignored=0.1):
    random = np.random.default_rng(seed)
    labels = random.integers(classes, size=(patches, edge, edge)).astype(np.uint8)
    unknown = random.random(labels.shape) < ignored
    labels[unknown] = random.choice([classes, 255], np.sum(unknown))
    return random.dirichlet(np.full(classes, 0.3), labels.shape).astype(np.float32), labels


def counted(scores, labels):
    from bohb_seg.training.graph import counts

    return PixelSums.counted(*map(np.asarray, counts.counts(labels, scores)))


def assert_same(one, other):
    np.testing.assert_array_equal(one.confusion, other.confusion)
    np.testing.assert_array_equal(one.truth, other.truth)
    for name in ("hits", "scores", "focal"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=2e-5, atol=1e-5)
    assert [getattr(one, name).dtype for name in vars(one)] == [
        getattr(other, name).dtype for name in vars(other)
    ]


@given(seed=seeds, classes=st.integers(2, 7), ignored=st.sampled_from([0.0, 0.3, 1.0]))
@settings(max_examples=50, deadline=None)
def test_the_graph_counts_what_numpy_counts(seed, classes, ignored):
    scores, labels = predictions(seed, classes=classes, ignored=ignored)
    assert_same(counted(scores, labels), PixelSums.of(scores, labels))


@given(seed=seeds)
@settings(max_examples=20, deadline=None)
def test_ignored_pixels_count_nowhere(seed):
    scores, labels = predictions(seed, ignored=0.3)
    changed = scores.copy()
    changed[labels >= 3] = np.roll(changed[labels >= 3], 1, axis=-1)
    before, after = counted(scores, labels), counted(changed, labels)
    for name in vars(before):
        np.testing.assert_array_equal(getattr(before, name), getattr(after, name))


def test_equal_scores_count_for_the_first_class():
    labels = np.array([[[0, 1], [2, 2]]], np.uint8)
    scores = np.full((1, 2, 2, 3), 1 / 3, np.float32)
    assert_same(counted(scores, labels), PixelSums.of(scores, labels))


def test_a_large_patch_is_counted_to_the_pixel_and_scored_to_float32():
    scores, labels = predictions(0, patches=1, edge=1024, classes=2, ignored=0)
    got, expected = counted(scores, labels), PixelSums.of(scores, labels)
    np.testing.assert_array_equal(got.confusion, expected.confusion)
    np.testing.assert_array_equal(got.truth, expected.truth)
    assert objectives.default(got) == pytest.approx(objectives.default(expected), rel=1e-6)
    assert objectives.milestone3(got) == pytest.approx(objectives.milestone3(expected), rel=1e-6)


def test_batches_of_a_compiled_network_join_to_one_tally():
    import keras

    from bohb_seg.training.graph import counts

    class Scorer(keras.Model):
        def call(self, inputs):
            return counts.counts(*inputs)

    scores, labels = predictions(1, patches=7)
    sums = Scorer().predict((labels, scores), batch_size=4, verbose=0)
    assert_same(PixelSums.counted(*sums), PixelSums.of(scores, labels))


def test_scores_that_are_no_numbers_are_seen():
    scores, labels = predictions(3)
    scores[0, 0, 0], labels[0, 0, 0] = np.nan, 0
    assert not counted(scores, labels).finite
    assert np.isnan(objectives.default(counted(scores, labels)))
