import cv2
import numpy as np
import pytest
from helpers.stores import decoded
from hypothesis import given
from hypothesis import strategies as st

from bohb_seg.data import decoding
from bohb_seg.data.decoding import shrink
from bohb_seg.trials import IGNORE

rasterio = pytest.importorskip("rasterio")


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        (np.array([[[1, 2, 3]]], np.uint8), [3, 2, 1]),
        (np.array([[7]], np.uint8), [7, 7, 7]),
        (np.array([[[1, 2, 3, 255]]], np.uint8), [3, 2, 1]),
        (np.array([[[1, 2, 1023]]], np.uint16), [1023, 2, 1]),
    ],
    ids=["colours", "grey", "opaque", "16 bits"],
)
def test_values_stay_those_of_the_file(tmp_path, pixels, expected):
    cv2.imwrite(str(tmp_path / "a.png"), pixels)
    store, record = decoded(tmp_path, np.zeros((1, 1), np.uint8))
    assert store.window(0, 0, 0, 1, 1)[0].tolist() == [[expected]]
    assert (record.dtype, len(record.bands)) == (str(pixels.dtype), 3)


def test_pixels_without_data_are_ignored(tmp_path):
    values = np.arange(12, dtype=np.int16).reshape(1, 3, 4) - 3
    _geotiff(tmp_path / "a.tif", values, nodata=-3)
    store, record = decoded(tmp_path, np.zeros((3, 4), np.uint8))
    bands, labels = store.window(0, 0, 0, 3, 4)
    assert labels.ravel().tolist() == [IGNORE] + [0] * 11
    assert np.isnan(bands[0, 0]).all()
    assert np.array_equal(bands[..., 0].ravel()[1:], np.arange(-2, 9))
    assert record.pixels == (11, 0, 0, 0, 0, 0, 1)
    assert (record.values.lowest, record.values.highest) == ((-2.0,) * 3, (8.0,) * 3)


@pytest.mark.parametrize("factor", [1, 3])
def test_strips_are_the_image(tmp_path, monkeypatch, factor):
    random = np.random.default_rng(0)
    values = random.integers(0, 2047, (4, 96, 60), np.uint16)
    labels = random.integers(0, 6, (96, 60), np.uint8)
    _geotiff(tmp_path / "a.tif", values)
    whole, record = decoded(tmp_path, labels, downscale=factor)
    monkeypatch.setattr(decoding, "WHOLE_BYTES", 1000)
    monkeypatch.setattr(decoding, "STRIP_BYTES", 7 * 60 * 4 * 2)
    strips, same = decoded(tmp_path, labels, downscale=factor)
    size = 96 // factor, 60 // factor
    for one, other in zip(whole.window(0, 0, 0, *size), strips.window(0, 0, 0, *size), strict=True):
        assert np.array_equal(one, other)
    assert (same.pixels, same.size) == (record.pixels, record.size)
    assert (same.values.lowest, same.values.highest) == (
        record.values.lowest,
        record.values.highest,
    )


def _geotiff(path, values, **options):
    """Writes (bands, height, width)."""
    count, height, width = values.shape
    form = {"count": count, "height": height, "width": width, "dtype": values.dtype}
    transform = rasterio.transform.from_origin(500_000, 5_000_000, 1, 1)
    with rasterio.open(
        path, "w", driver="GTiff", crs="EPSG:32632", transform=transform, **form, **options
    ) as file:
        file.write(values)


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
