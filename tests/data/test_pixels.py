import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bohb_seg.data.pixels import read_image, shrink


def encoded(pixels, suffix=".png"):
    return cv2.imencode(suffix, pixels)[1].tobytes()


def test_colours_come_as_red_green_blue():
    assert read_image(encoded(np.array([[[1, 2, 3]]], np.uint8))).tolist() == [[[3, 2, 1]]]


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        (np.array([[7]], np.uint8), [7, 7, 7]),
        (np.array([[[1, 2, 3, 0]]], np.uint8), [3, 2, 1]),
        (np.array([[[0x0102, 0x0304, 0xFF00]]], np.uint16), [255, 3, 1]),
    ],
    ids=["grey", "alpha", "16 bits"],
)
def test_every_kind_of_image_becomes_8_bit_rgb(pixels, expected):
    assert read_image(encoded(pixels)).tolist() == [[expected]]


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_torn_files_are_refused(suffix):
    content = encoded(np.random.default_rng(0).integers(0, 255, (90, 90, 3), np.uint8), suffix)

    with pytest.raises(ValueError, match="is cut off"):
        read_image(content[: len(content) // 2])


@pytest.mark.parametrize(("content", "message"), [(b"", "is empty"), (b"GIF", "not an image")])
def test_other_files_are_refused(content, message):
    with pytest.raises(ValueError, match=message):
        read_image(content)


@given(st.integers(2, 6), st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_shrinking_keeps_image_and_labels_aligned(factor, rows, columns, seed):
    """Blocks of one label each, with the label as grey: both must shrink to the same blocks."""
    random = np.random.default_rng(seed)
    blocks = random.integers(0, 6, (rows, columns), dtype=np.uint8)
    labels = np.kron(blocks, np.ones((factor, factor), np.uint8))
    image = np.repeat(labels[..., None] * 40, 3, axis=2)

    small_image, small_labels = shrink(image, labels, factor)

    assert np.array_equal(small_labels, blocks)
    assert np.array_equal(small_image, np.repeat(blocks[..., None] * 40, 3, axis=2))


@given(st.integers(2, 5), st.integers(20, 60), st.integers(20, 60))
def test_shrinking_odd_sizes_shifts_nothing(factor, height, width):
    """An edge in the middle stays within one pixel of the middle in image and labels."""
    labels = np.zeros((height, width), np.uint8)
    labels[:, width // 2 :] = 1
    image = np.repeat(labels[..., None] * 200, 3, axis=2)

    small_image, small_labels = shrink(image, labels, factor)

    assert small_labels.shape == small_image.shape[:2] == (height // factor, width // factor)
    assert (np.abs((small_image[..., 0] > 100).sum(1) - (small_labels == 1).sum(1)) <= 1).all()
