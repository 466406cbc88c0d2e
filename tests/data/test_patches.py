import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from patchify import patchify

from bohb_seg.data.patches import grid
from bohb_seg.trials import IGNORE

edges = st.integers(0, 40)
sizes = st.integers(3, 17)


def numbered(height, width):
    """An image whose every pixel is different in its four bytes."""
    return np.arange(height * width, dtype="<u4").view(np.uint8).reshape(height, width, 4)


@given(edges, edges, sizes)
def test_patches_put_back_give_the_whole_image(more_rows, more_columns, size):
    pixels = numbered(size + more_rows, size + more_columns)
    layout = grid(*pixels.shape[:2], size, crop=False)

    canvas = np.zeros_like(pixels)
    covered = np.zeros(pixels.shape[:2], bool)
    for (row, column), patch in zip(layout.corners(), layout.cut(pixels), strict=True):
        canvas[row : row + size, column : column + size] = patch
        covered[row : row + size, column : column + size] = True

    assert covered.all()
    assert np.array_equal(canvas, pixels)


@given(edges, edges, sizes)
def test_every_pixel_counts_once(more_rows, more_columns, size):
    height, width = size + more_rows, size + more_columns
    layout = grid(height, width, size, crop=False)

    counted = np.zeros((height, width), int)
    labels = layout.count_once(np.zeros((len(layout), size, size), np.uint8))
    for (row, column), patch in zip(layout.corners(), labels, strict=True):
        counted[row : row + size, column : column + size] += patch != IGNORE

    assert (counted == 1).all()


@given(edges, edges, sizes)
def test_cropping_gives_what_patchify_gives(more_rows, more_columns, size):
    pixels = numbered(size + more_rows, size + more_columns)

    layout = grid(*pixels.shape[:2], size, crop=True)

    expected = patchify(pixels, (size, size, 4), step=size).reshape(-1, size, size, 4)
    assert np.array_equal(layout.cut(pixels), expected)
    assert not layout.shown_before().any()


def test_the_last_patches_overlap():
    layout = grid(544, 509, 256, crop=False)

    assert (layout.rows, layout.columns) == ((0, 256, 288), (0, 253))


def test_an_image_smaller_than_a_patch_is_a_fault_of_ours():
    with pytest.raises(AssertionError):
        grid(10, 30, 16, crop=False)
