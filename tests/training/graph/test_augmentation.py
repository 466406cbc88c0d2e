import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

pytestmark = pytest.mark.training

EDGE = 16
seeds = st.integers(0, 2**32 - 1)
strengths = st.sampled_from([0.0, 0.3, 1.0])
ZOOM, WINDOW, COLOURS = 3, slice(4, 6), slice(6, None)


def draw(count, strength, seed):
    from bohb_seg.training.graph import augmentation

    return augmentation.draw(count, strength, np.random.default_rng(seed))


def apply(images, labels, views):
    from bohb_seg.training.graph import augmentation

    images, labels = augmentation.apply(images, labels, views)
    return np.asarray(images), np.asarray(labels)


def pixels(seed, count=8, edge=EDGE, ignored=0.0):
    random = np.random.default_rng(seed)
    labels = random.integers(6, size=(count, edge, edge)).astype(np.uint8)
    labels[random.random(labels.shape) < ignored] = 255
    return random.integers(256, size=(count, edge, edge, 3)).astype(np.uint8), labels


def without_colours(views):
    views = views.copy()
    views[:, COLOURS] = 1
    return views


def eight_views(label):
    turned = [np.rot90(label, turn) for turn in range(4)]
    return turned + [view[:, ::-1] for view in turned]


@given(seed=seeds, edge=st.sampled_from([1, 2, 8, 15]))
@settings(max_examples=20, deadline=None)
def test_at_strength_0_a_view_is_an_exact_turn_or_flip(seed, edge):
    images, _ = pixels(seed, edge=edge)
    labels = images[..., 0]
    views, masks = apply(images, labels, draw(8, 0.0, seed))
    assert (views.dtype, masks.dtype) == (np.float32, np.uint8)
    np.testing.assert_array_equal(views[..., 0], masks)
    for index in range(8):
        choices = np.stack([eight_views(label) for label in np.moveaxis(images[index], -1, 0)])
        assert (np.moveaxis(views[index], -1, 0)[:, None] == choices).all(axis=(0, 2, 3)).any()


def test_all_eight_views_are_equally_likely():
    images, labels = pixels(0, count=1, edge=4)
    images, labels = np.repeat(images, 2000, axis=0), np.repeat(labels, 2000, axis=0)
    _, masks = apply(images, labels, draw(2000, 0.0, 1))
    shares = [np.mean((masks == view).all(axis=(1, 2))) for view in eight_views(labels[0])]
    assert sum(shares) == pytest.approx(1)
    # 250 of each are expected, with a standard deviation of 15.
    assert all(0.125 - 5 * 0.0074 < share < 0.125 + 5 * 0.0074 for share in shares)


def test_the_identity_changes_nothing():
    images, labels = pixels(0, ignored=0.2)
    views = np.zeros_like(draw(8, 1.0, 0))
    views[:, ZOOM], views[:, COLOURS] = 1, 1
    views[:, WINDOW] = np.random.default_rng(0).uniform(-1, 1, (8, 2))
    seen, masks = apply(images, labels, views)
    np.testing.assert_array_equal(seen, images)
    np.testing.assert_array_equal(masks, labels)


@given(seed=seeds, strength=strengths)
@settings(max_examples=20, deadline=None)
def test_masks_stay_aligned_to_half_a_pixel(seed, strength):
    """Every pixel carries its own place, in the label as a number, in the image as two colours."""
    places = np.arange(EDGE**2).reshape(1, EDGE, EDGE).repeat(8, axis=0).astype(np.uint8)
    images = np.stack([places // EDGE, places % EDGE, 0 * places], axis=-1)
    views, masks = apply(images, places, without_colours(draw(8, strength, seed)))
    np.testing.assert_allclose(views[..., 0], masks // EDGE, atol=0.5 + 1e-4)
    np.testing.assert_allclose(views[..., 1], masks % EDGE, atol=0.5 + 1e-4)


@given(seed=seeds, strength=strengths)
@settings(max_examples=20, deadline=None)
def test_zoom_is_scipys_with_mirrored_surroundings(seed, strength):
    images, _ = pixels(seed)
    drawn = without_colours(draw(8, strength, seed))
    drawn[:, :3] = 0
    views, _ = apply(images, images[..., 0], drawn)
    for image, view, row in zip(images, views, drawn, strict=True):
        zoom, window = row[ZOOM], row[WINDOW]
        centre = (EDGE - 1) / 2
        corner = centre - centre / zoom + abs(EDGE - EDGE / zoom) / 2 * window
        for channel in range(3):
            expected = ndimage.affine_transform(
                image[..., channel].astype(float), [1 / zoom] * 2, corner, order=1, mode="reflect"
            )
            np.testing.assert_allclose(view[..., channel], expected, atol=0.02)


@given(seed=seeds, strength=strengths)
@settings(max_examples=20, deadline=None)
def test_colours_are_brightness_contrast_and_gamma_as_defined(seed, strength):
    images, labels = pixels(seed)
    drawn = draw(8, strength, seed)
    drawn[:, :3], drawn[:, ZOOM] = 0, 1
    views, masks = apply(images, labels, drawn)
    for image, view, row in zip(images.astype(float), views, drawn, strict=True):
        bright = image * row[6:9]
        mean = bright.mean(axis=(0, 1))
        clipped = np.clip((bright - mean) * row[9] + mean, 0, 255)
        curve = 255 * (np.maximum(clipped, 1) / 255) ** row[10]
        # Below one level the curve is straight.
        np.testing.assert_allclose(view, curve * np.minimum(clipped, 1), rtol=1e-4, atol=1e-3)
    np.testing.assert_array_equal(masks, labels)


@given(seed=seeds, strength=strengths)
@settings(max_examples=20, deadline=None)
def test_nothing_is_made_up(seed, strength):
    images, labels = pixels(seed, ignored=0.2)
    views, masks = apply(images, labels, draw(8, strength, seed))
    assert views.shape == images.shape
    assert views.min() >= 0
    assert views.max() <= 255 + 1e-3
    assert all(set(mask.flat) <= set(label.flat) for mask, label in zip(masks, labels, strict=True))
    ignored = np.full_like(labels, 255)
    np.testing.assert_array_equal(apply(images, ignored, draw(8, strength, seed))[1], ignored)


@given(seed=seeds)
@settings(max_examples=10, deadline=None)
def test_a_patch_does_not_depend_on_its_batch(seed):
    images, labels = pixels(seed)
    views = draw(8, 1.0, seed)
    whole = apply(images, labels, views)
    parts = [apply(images[i : i + 2], labels[i : i + 2], views[i : i + 2]) for i in range(0, 8, 2)]
    for got, expected in zip(map(np.concatenate, zip(*parts, strict=True)), whole, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-3)


def test_it_runs_compiled_with_a_last_smaller_batch():
    import keras

    from bohb_seg.training.graph import augmentation

    class Step(keras.Model):
        def call(self, inputs):
            return augmentation.apply(*inputs)

    given = (*pixels(0, count=7), draw(7, 1.0, 0))
    seen = Step().predict(given, batch_size=4, verbose=0)
    for got, expected in zip(seen, apply(*given), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-3)


@given(seed=seeds, strength=st.floats(0, 1))
@settings(deadline=None)
def test_draws_stay_within_their_ranges(seed, strength):
    from bohb_seg.training.graph import augmentation

    views = draw(50, strength, seed)
    assert (views.shape, views.dtype) == ((50, augmentation.columns(3)), np.float32)
    assert set(views[:, :3].flat) <= {0, 1}
    assert np.abs(views[:, WINDOW]).max() <= 1
    assert np.abs(np.log(views[:, ZOOM])).max() <= strength * np.log(1.4) + 1e-6
    assert np.abs(views[:, 6:10] - 1).max() <= strength * 0.25 + 1e-6
    assert np.abs(np.log(views[:, 10])).max() <= strength * np.log(1.5) + 1e-6
    np.testing.assert_array_equal(views, draw(50, strength, seed))


def test_draws_reach_the_ends_of_their_ranges_on_both_sides():
    views = draw(2000, 1.0, 0)
    low, high = views.min(axis=0)[3:], views.max(axis=0)[3:]
    ends = [1 / 1.4, -1, -1, 0.75, 0.75, 0.75, 0.75, 1 / 1.5]
    np.testing.assert_allclose(low, ends, atol=0.01)
    np.testing.assert_allclose(high, [1.4, 1, 1, 1.25, 1.25, 1.25, 1.25, 1.5], atol=0.01)


def test_strength_moves_neither_turns_nor_flips():
    np.testing.assert_array_equal(draw(50, 0.0, 3)[:, :3], draw(50, 1.0, 3)[:, :3])
