from dataclasses import replace

import numpy as np
import pytest

from bohb_seg.data.imagery import geotiff
from bohb_seg.data.imagery.alignment import difference, open_aligned, refuse_unaligned
from bohb_seg.data.imagery.facts import Facts
from bohb_seg.data.mask_reading.rows import MaskRows
from bohb_seg.errors import DataError

NEEDS = pytest.mark.skipif(
    not geotiff.available(), reason="rasterio is not installed: pip install 'bohb-seg[geo]'"
)
IMAGE = Facts(40, 60, 3, ("",) * 3, "uint8", crs="EPSG:32632",
              transform=(0.5, 0, 500_000, 0, -0.5, 5_300_000))  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "phrase"),
    [
        ({}, None),
        ({"transform": (0.5, 0, 500_000.04, 0, -0.5, 5_300_000)}, None),
        ({"transform": None, "crs": None}, None),
        ({"crs": None}, None),
        pytest.param({"crs": "EPSG:32633"}, "is in EPSG:32633, not in EPSG:32632", marks=NEEDS),
        ({"transform": (1, 0, 500_000, 0, -1, 5_300_000)}, "has pixels of 1, not 0.5"),
        ({"transform": (0.5, 0, 500_010, 0, -0.5, 5_300_000)}, "lies 20 pixels beside it"),
        ({"width": 61}, "is 61x40 pixels, not 60x40"),
        ({"transform": None, "height": 41}, "is 60x41 pixels, not 60x40"),
    ],
)
def test_the_first_fact_that_differs_is_named(changes, phrase):
    mask = replace(IMAGE, **changes)

    assert difference(IMAGE, mask) == phrase
    if phrase:
        with pytest.raises(DataError, match=phrase):
            refuse_unaligned("a.tif", IMAGE, mask)
    else:
        refuse_unaligned("a.tif", IMAGE, mask)


@NEEDS
def test_one_coordinate_system_under_two_names_is_one():
    from rasterio.crs import CRS

    assert difference(IMAGE, replace(IMAGE, crs=CRS.from_epsg(32632).to_wkt())) is None


def mask_file(path, values, crs, transform, **more):
    import rasterio

    height, width = values.shape
    how = {"driver": "GTiff", "height": height, "width": width, "count": 1, "dtype": values.dtype}
    with rasterio.open(path, "w", crs=crs, transform=transform, **how, **more) as dataset:
        dataset.write(values, 1)
    return path


@NEEDS
@pytest.mark.parametrize("nodata", [None, 9])
def test_a_mask_in_degrees_is_warped_by_the_nearest_value(tmp_path, nodata):
    from rasterio.transform import from_bounds
    from rasterio.warp import transform, transform_bounds

    bounds = transform_bounds("EPSG:32632", "EPSG:4326", 500_000, 5_299_980, 500_030, 5_300_000)
    west, south, east, north = bounds
    east -= (east - west) * 0.2  # the mask ends before the image does
    values = np.random.default_rng(0).integers(0, 5, (23, 31), np.uint8)
    place = from_bounds(west, south, east, north, 31, 23)
    path = mask_file(tmp_path / "m.tif", values, "EPSG:4326", place, nodata=nodata)

    with MaskRows(open_aligned(path, IMAGE)) as mask:
        raw = mask.read(3, 30)
    found, valid = raw.values[:, 5:55], ~raw.hidden[:, 5:55]

    rows, columns = np.mgrid[3:33, 5:55]
    x, y = 500_000 + 0.5 * (columns + 0.5), 5_300_000 - 0.5 * (rows + 0.5)
    degrees = np.array(transform("EPSG:32632", "EPSG:4326", x.ravel(), y.ravel()))
    column, row = (np.array(each) for each in ~place * degrees)
    inside = (column >= 0) & (column < 31) & (row >= 0) & (row < 23)
    expected = values[np.clip(row, 0, 22).astype(int), np.clip(column, 0, 30).astype(int)]
    assert np.array_equal(valid.ravel(), inside)
    assert 0.7 < inside.mean() < 0.9
    assert np.array_equal(found.ravel()[inside], expected[inside])


@NEEDS
@pytest.mark.parametrize("kind", ["palette", "alpha"])
def test_indices_stay_indices_and_clear_pixels_are_not_valid(tmp_path, kind):
    import rasterio
    from rasterio.transform import Affine

    values = np.random.default_rng(0).integers(0, 5, (4, 40, 60), np.uint8)
    values[3] = 255 * (values[3] > 2)
    count = 1 if kind == "palette" else 4
    how = {"driver": "GTiff", "height": 40, "width": 60, "count": count, "dtype": "uint8"}
    place = {"crs": IMAGE.crs, "transform": Affine(*IMAGE.transform)}
    with rasterio.open(tmp_path / "m.tif", "w", **how, **place) as dataset:
        dataset.write(values[:count])
        if kind == "palette":
            dataset.write_colormap(1, {n: (n, 9, 9, 255) for n in range(5)})

    with MaskRows(open_aligned(tmp_path / "m.tif", IMAGE)) as mask:
        raw = mask.read(0, 40)

    found, valid = raw.values.reshape(40, 60, -1), ~raw.hidden
    assert np.array_equal(valid, np.ones((40, 60), bool) if count == 1 else values[3] > 0)
    assert np.array_equal(found[..., 0][valid], values[0][valid])


@NEEDS
def test_what_has_no_place_cannot_be_warped(tmp_path):
    path = mask_file(tmp_path / "m.tif", np.zeros((4, 4), np.uint8), None, None)

    with pytest.raises(DataError, match="must name a coordinate system"):
        open_aligned(path, IMAGE)


def test_without_rasterio_the_cure_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("bohb_seg.data.imagery.alignment.available", lambda: False)

    with pytest.raises(DataError, match=r"pip install 'bohb-seg\[geo\]'"):
        open_aligned(tmp_path / "m.tif", IMAGE)
