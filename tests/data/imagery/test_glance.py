"""A glance at the header says what the opened file says."""

import cv2
import numpy as np
import pytest
from PIL import Image

from bohb_seg.data.imagery import geotiff
from bohb_seg.data.imagery.glance import glance
from bohb_seg.data.imagery.reader import open_image

HEIGHT, WIDTH = 33, 47


def values(bands, dtype="uint8"):
    shape = (HEIGHT, WIDTH, bands) if bands > 1 else (HEIGHT, WIDTH)
    return np.random.default_rng(0).integers(0, 200, shape).astype(dtype)


def by_opencv(path, bands, dtype="uint8"):
    assert cv2.imwrite(str(path), values(bands, dtype))


def by_pillow(path, mode, **options):
    Image.fromarray(values(3)).convert(mode).save(path, **options)


def by_gdal(path, bands, dtype="uint8", **options):
    import rasterio

    dataset = rasterio.open(
        path, "w", count=bands, height=HEIGHT, width=WIDTH, dtype=dtype, **options
    )
    with dataset:
        dataset.write(np.moveaxis(values(max(2, bands), dtype), 2, 0)[:bands])


FILES = {
    "rgb.png": lambda path: by_opencv(path, 3),
    "grey.png": lambda path: by_opencv(path, 1),
    "deep.png": lambda path: by_opencv(path, 3, "uint16"),
    "palette.png": lambda path: by_pillow(path, "P"),
    "bits.png": lambda path: by_pillow(path, "1"),
    "a.jpg": lambda path: by_opencv(path, 3),
    "grey.jpg": lambda path: by_opencv(path, 1),
    "a.webp": lambda path: by_opencv(path, 3),
    "a.bmp": lambda path: by_opencv(path, 3),
    "a.ppm": lambda path: by_opencv(path, 3),
    "deep.tif": lambda path: by_gdal(path, 3, "uint16"),
    "many.tif": lambda path: by_gdal(path, 8, "uint16", compress="deflate"),
    "float.tif": lambda path: by_gdal(path, 5, "float32"),
    "signed.tif": lambda path: by_gdal(path, 1, "int16"),
    "tiled.tif": lambda path: by_gdal(path, 3, tiled=True, compress="zstd"),
    "large.tif": lambda path: by_gdal(path, 3, BIGTIFF="YES"),
    "a.jp2": lambda path: by_gdal(path, 3, driver="JP2OpenJPEG"),
    "four.jp2": lambda path: by_gdal(path, 6, "uint16", driver="JP2OpenJPEG"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_glance_says_what_the_opened_file_says(name, tmp_path):
    if name.endswith((".tif", ".jp2")) and not geotiff.available():
        pytest.skip("rasterio is not installed")
    FILES[name](tmp_path / name)

    found = glance(tmp_path / name)

    with open_image(tmp_path / name) as image:
        facts = image.facts
    assert (found.height, found.width, found.bands, found.dtype, found.alpha, found.codec) == (
        facts.height, facts.width, facts.bands, facts.dtype, facts.alpha, facts.codec,
    )  # fmt: skip


@pytest.mark.parametrize(
    "content", [b"", b"text", b"\x89PNG\r\n", b"\xff\xd8\xff", b"II*\0\0\0\0\0"]
)
def test_no_header_is_a_sentence(content, tmp_path):
    (tmp_path / "a").write_bytes(content)

    with pytest.raises(ValueError, match=r"says no size|cannot decode it"):
        glance(tmp_path / "a")


def test_a_header_is_enough_for_a_huge_image(tmp_path):
    """Pillow takes such an image for an attack; its pixels are not even there."""
    by_opencv(tmp_path / "a.png", 3)
    content = bytearray((tmp_path / "a.png").read_bytes()[:200])
    content[16:24] = (50_000).to_bytes(4) + (40_000).to_bytes(4)
    (tmp_path / "a.png").write_bytes(content)
    by_opencv(tmp_path / "a.bmp", 3)
    content = bytearray((tmp_path / "a.bmp").read_bytes())
    content[18:26] = (50_000).to_bytes(4, "little") + (40_000).to_bytes(4, "little")
    (tmp_path / "a.bmp").write_bytes(content)

    for found in map(glance, (tmp_path / "a.png", tmp_path / "a.bmp")):
        assert (found.width, found.height, found.bands) == (50_000, 40_000, 3)
