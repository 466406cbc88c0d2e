import numpy as np
import pytest
from helpers.stores import image_of, stored
from hypothesis import given, settings
from hypothesis import strategies as st

from bohb_seg.data.patches import grid
from bohb_seg.data.store import windows
from bohb_seg.trials import IGNORE

edges = st.integers(0, 90)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(edges, edges), min_size=1, max_size=3), st.integers(3, 70), st.booleans())
def test_windows_are_the_patches_that_were_cut(tmp_path_factory, sizes, size, crop):
    images = [image_of(size + more, size + wider, seed=7) for more, wider in sizes]
    store = stored(tmp_path_factory.mktemp("store") / "key", images)

    laid = windows.laid(store, size, crop)
    read = laid.read(np.arange(len(laid)))
    trained = laid.for_training().read(np.arange(len(laid)))

    grids = [grid(*labels.shape, size, crop) for _, labels in images]
    pixels, labels, counted, sources = [], [], [], []
    for number, (layout, image) in enumerate(zip(grids, images, strict=True)):
        patches = layout.cut(np.dstack(image))
        pixels.append(patches[..., :3])
        labels.append(patches[..., 3])
        counted.append(layout.count_once(patches[..., 3]))
        sources += [f"{number}.png@{row},{column}" for row, column in layout.corners()]
    assert np.array_equal(read[0], np.concatenate(pixels))
    assert np.array_equal(read[1], np.concatenate(counted))
    assert np.array_equal(trained[0], np.concatenate(pixels))
    assert np.array_equal(trained[1], np.concatenate(labels))
    names = [f"{number}.png" for number in range(len(images))]
    assert list(laid.sources(names)) == sources


@pytest.mark.parametrize("shape", [(10, 12), (10, 40), (40, 12)])
def test_an_image_smaller_than_a_window_is_padded(tmp_path, shape):
    pixels, labels = image_of(*shape)
    laid = windows.laid(stored(tmp_path / "key", [(pixels, labels)]), 32)

    images, read = laid.read(np.arange(len(laid)))

    counted = np.zeros(shape, int)
    for (_, row, column), image, label in zip(laid.places, images, read, strict=True):
        place = slice(row, row + 32), slice(column, column + 32)
        inside = pixels[place].shape[:2]
        assert np.array_equal(image[: inside[0], : inside[1]], pixels[place])
        assert not image[inside[0] :].any()
        assert not image[:, inside[1] :].any()
        padded = np.full((32, 32), IGNORE)
        padded[: inside[0], : inside[1]] = labels[place]
        assert np.array_equal(label[label != IGNORE], padded[label != IGNORE])
        counted[place] += label[: inside[0], : inside[1]] != IGNORE
    assert (counted == 1).all()


def test_some_windows_in_any_order(tmp_path):
    laid = windows.laid(stored(tmp_path / "key", [image_of(100, 100)]), 32)
    every = laid.read(np.arange(len(laid)))

    read = laid[[5, 2, 9]].read([2, 0])

    assert np.array_equal(read[0], every[0][[9, 5]])
    assert np.array_equal(read[1], every[1][[9, 5]])


def test_windows_without_information_are_found(tmp_path):
    pixels, labels = image_of(64, 64 * 5)
    labels[:, :64] = IGNORE
    pixels[:, 64:128] = (1, 2, 3)
    pixels[:, 128:192] = (0, 0, 0)
    pixels[5, 130] = 1
    labels[:, 192:256] = IGNORE
    labels[0, 200] = 3
    small = np.full((10, 10, 3), 200, np.uint8), np.zeros((10, 10), np.uint8)
    laid = windows.laid(stored(tmp_path / "key", [(pixels, labels), small]), 64)

    found = windows.survey(laid, 6)

    # The last image is constant, though its padding is black.
    assert found.informative.tolist() == [False, False, True, True, True, False]
    assert found.pixels[3].tolist() == [0, 0, 0, 1, 0, 0]
    assert found.pixels[5].tolist() == [100, 0, 0, 0, 0, 0]


def test_sixteen_bits_and_more_bands_stay(tmp_path):
    pixels, labels = image_of(64, 64, 5, "uint16")
    laid = windows.laid(stored(tmp_path / "key", [(pixels, labels)]), 64)

    images, _ = laid.read([0])

    assert images.dtype == np.uint16
    assert np.array_equal(images[0], pixels)


@pytest.mark.parametrize("other", [(5, "uint8"), (3, "uint16")])
def test_images_of_two_forms_are_a_fault_of_ours(tmp_path, other):
    store = stored(tmp_path / "key", [image_of(64, 64), image_of(64, 64, *other)])

    with pytest.raises(AssertionError, match="one form"):
        windows.laid(store, 64)
