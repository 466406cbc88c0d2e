import numpy as np
import pytest
from helpers.stores import image_of, stored
from hypothesis import given, settings
from hypothesis import strategies as st

from bohb_seg.data.store.sampling import (
    Blocks,
    Places,
    RandomSampling,
    blocks_of,
    rare_classes,
)
from bohb_seg.training.seeds import epoch_seeds
from bohb_seg.trials import IGNORE

CLASSES = 6


def order(epoch):
    return epoch_seeds(run_seed=3, config_id=(0, 0, 1), epoch=epoch).order


@st.composite
def parts(draw):
    """Labels of one image, and regions of it of which none is smaller than a window."""
    size = draw(st.integers(1, 40))
    height, width = draw(st.integers(size, 150)), draw(st.integers(size, 150))
    labels = np.full((height, width), IGNORE, np.uint8)
    for _ in range(draw(st.integers(1, 4))):
        row, column = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
        labels[row : row + 30, column : column + 9] = draw(st.integers(0, CLASSES - 1))
    regions = []
    for _ in range(draw(st.integers(1, 3))):
        top, left = draw(st.integers(0, height - size)), draw(st.integers(0, width - size))
        bottom, right = draw(st.integers(top + size, height)), draw(st.integers(left + size, width))
        regions.append((0, top, left, bottom, right))
    return size, labels, np.array(regions)


@settings(deadline=None, max_examples=50)
@given(parts(), st.floats(0, 1), st.integers(1, 30))
def test_windows_lie_in_the_part_and_show_labels(tmp_path_factory, part, share, count):
    size, labels, regions = part
    pixels = np.zeros((*labels.shape, 1), np.uint8)
    store = stored(tmp_path_factory.mktemp("store") / "key", [(pixels, labels)])
    found = blocks_of(store, regions, CLASSES)
    inside = [labels[top:bottom, left:right] for _, top, left, bottom, right in regions]
    present = sorted(set(np.concatenate([each.ravel() for each in inside])) - {IGNORE})
    assert np.flatnonzero(found.shows.any(axis=0)).tolist() == present
    assert found_pixels(found) == sum(each.size for each in inside)
    if not present:
        return
    rare = (int(present[0]),)

    drawn = RandomSampling(store, count, Places(size, regions, found, rare, share)).epoch(order(1))

    images, read = drawn.read(np.arange(len(drawn)))
    assert images.shape == (count, size, size, 1)
    within = [
        (top <= drawn.places[:, 1])
        & (drawn.places[:, 1] + size <= bottom)
        & (left <= drawn.places[:, 2])
        & (drawn.places[:, 2] + size <= right)
        for _, top, left, bottom, right in regions
    ]
    assert np.any(within, axis=0).all()
    assert (read == rare[0]).any(axis=(1, 2)).sum() >= round(share * count)


def found_pixels(found):
    _, top, left, bottom, right = found.rectangles.T
    return int(((bottom - top) * (right - left)).sum())


def places(size=16, share=0.0, edge=100):
    regions = np.array([(0, 0, 0, edge, edge), (1, 10, 20, 50, 90)])
    blocks = Blocks(regions, np.arange(2), np.ones((2, 1), np.bool_))
    return Places(size, regions, blocks, (0,), share)


def zeros(rectangle):
    _, top, left, bottom, right = rectangle
    return np.zeros((bottom - top, right - left), np.uint8)


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_an_epoch_is_the_same_wherever_training_goes_on(share):
    drawn = [places(share=share).draw(20, order(epoch), zeros) for epoch in (1, 2, 3)]

    again = places(share=share).draw(20, order(3), zeros)

    assert np.array_equal(again, drawn[2])
    assert not np.array_equal(drawn[1], drawn[2])


def test_images_are_drawn_by_their_area_and_corners_are_shown_too():
    drawn = places(edge=40).draw(20_000, np.random.default_rng(0), zeros)

    shown = np.zeros((40, 40))
    for _, row, column in drawn[drawn[:, 0] == 0]:
        shown[row : row + 16, column : column + 16] += 1
    share = np.mean(drawn[:, 0] == 0)
    assert share == pytest.approx(1600 / (1600 + 40 * 70), abs=0.02)
    # Were all places drawn alike, the corners would be shown 0.01 times as often as the mean.
    assert shown.min() > 0.2 * shown.mean()


def test_images_smaller_than_a_window_are_padded(tmp_path):
    store = stored(tmp_path / "key", [image_of(20, 200), image_of(200, 20), image_of(5, 5)])
    regions = np.array([(0, 0, 0, 20, 200), (1, 0, 0, 200, 20), (2, 0, 0, 5, 5)])
    sampling = Places(32, regions, blocks_of(store, regions, CLASSES), (), 0.0)

    drawn = RandomSampling(store, 300, sampling).epoch(order(1))

    _, labels = drawn.read(np.arange(300))
    assert set(drawn.places[:, 0]) == {0, 1, 2}
    assert set(drawn.places[drawn.places[:, 0] != 1, 1]) == {0}
    assert set(drawn.places[drawn.places[:, 0] != 0, 2]) == {0}
    assert ((labels != IGNORE).sum(axis=(1, 2))[drawn.places[:, 0] == 2] == 25).all()


@pytest.mark.parametrize(
    ("pixels", "rare"),
    [([100, 100, 100], (1,)), ([100, 49, 151], (1,)), ([1, 1, 100], (1,)), ([0, 1, 3], (1,))],
)
def test_rare_classes_are_those_with_few_pixels_that_the_part_shows(pixels, rare):
    shows = np.array([[False, True, False], [False, False, True]])

    found = rare_classes(Blocks(np.zeros((2, 5)), np.zeros(2), shows), np.array(pixels))

    assert found == rare
