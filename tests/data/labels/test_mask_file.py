"""Masks read by rows are the masks read whole: labels, and all that is found out about them."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from bohb_seg.data.classes import ClassEntry
from bohb_seg.data.imagery import geotiff
from bohb_seg.data.imagery.alignment import difference, refuse_unaligned
from bohb_seg.data.imagery.facts import Facts
from bohb_seg.data.imagery.reader import open_image
from bohb_seg.data.labels import mask_file
from bohb_seg.data.labels.mask_file import MaskFile
from bohb_seg.data.mask_reading import containers, histogram, rows
from bohb_seg.data.mask_reading.reading import read_mask
from bohb_seg.data.masks import mask_code
from bohb_seg.errors import DataError
from bohb_seg.trials import IGNORE

NEEDS = pytest.mark.skipif(
    not geotiff.available(), reason="rasterio is not installed: pip install 'bohb-seg[geo]'"
)
COLOURS = np.array([(0, 0, 0), (255, 0, 0), (0, 0, 255)], np.uint8)
INDICES = mask_code(tuple(ClassEntry(name=n, index=i) for i, n in enumerate("abc")), "default")
BY_COLOUR = mask_code(
    tuple(
        ClassEntry(name=name, colour="#{:02X}{:02X}{:02X}".format(*colour))
        for name, colour in zip("abc", COLOURS.tolist(), strict=True)
    ),
    "default",
)
TWO = mask_code((ClassEntry(name="a", index=0), ClassEntry(name="b", index=1)), "default")
IMAGE = Facts(40, 60, 3, ("",) * 3, "uint8", crs="EPSG:32632",
              transform=(0.5, 0, 500_000, 0, -0.5, 5_300_000))  # fmt: skip


def tif(path, values, crs=None, transform=None, **more):
    import rasterio
    from rasterio.transform import Affine

    bands = values[None] if values.ndim == 2 else np.moveaxis(values, 2, 0)
    place = {"crs": crs, "transform": Affine(*transform)} if transform else {}
    how = {"driver": "GTiff", "count": len(bands), "dtype": bands.dtype, **place, **more}
    with rasterio.open(path, "w", height=bands.shape[1], width=bands.shape[2], **how) as dataset:
        dataset.write(bands)
    return path


def png(path, image):
    image.save(path, "PNG")
    return path


def palette(path, numbers, clear=None):
    image = Image.frombytes("P", numbers.shape[::-1], numbers.tobytes())
    image.putpalette(COLOURS.ravel().tolist())
    image.save(path, "PNG", **({} if clear is None else {"transparency": clear}))
    return path


def blurred(numbers):
    return cv2.GaussianBlur(COLOURS[numbers % 3], (3, 3), 0.8)


def with_alpha(numbers):
    return np.dstack([COLOURS[numbers % 3], np.where(numbers == 3, 0, 255).astype(np.uint8)])


def scene(seed=1, classes=3, edge=96):
    random, labels = np.random.default_rng(seed), np.zeros((edge, edge), np.uint8)
    for _ in range(20):
        y, x = random.integers(edge, size=2)
        labels[max(0, y - 20) : y + 20, max(0, x - 20) : x + 20] = random.integers(classes)
    return labels


MEASURE = """
import json, resource, sys
from pathlib import Path
import numpy as np, rasterio
from bohb_seg.data.classes import ClassEntry
from bohb_seg.data.labels.mask_file import MaskFile
from bohb_seg.data.masks import mask_code
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
colours = ("#000000", "#FF0000", "#0000FF")
code = mask_code(tuple(ClassEntry(name=c, colour=c) for c in colours), "default")
code.colour_table
before, counts = peak(), np.zeros(256, int)
with MaskFile(Path(sys.argv[1])).open(None, code) as opened:
    for first in range(0, 6000, 50):
        counts += np.bincount(opened.rows(first, 50).ravel(), minlength=256)
print(json.dumps([counts.tolist(), opened.finding.unknown, peak() - before]))
"""

KINDS = {
    "indices": (INDICES, lambda p, a: tif(p, a)),
    "tiles": (INDICES, lambda p, a: tif(p, a, tiled=True, blockxsize=16, blockysize=16)),
    "one strip": (INDICES, lambda p, a: tif(p, a, blockysize=96, compress="lzw")),
    "16 bits, no data": (INDICES, lambda p, a: tif(p, a.astype(np.uint16) * 7, nodata=21)),
    "floats": (INDICES, lambda p, a: tif(p, np.where(a == 3, np.nan, a).astype(np.float32))),
    "negative": (INDICES, lambda p, a: tif(p, a.astype(np.int32) - 1)),
    "wide": (INDICES, lambda p, a: tif(p, a.astype(np.uint32) * 70_000)),
    "colours": (BY_COLOUR, lambda p, a: tif(p, np.array([*COLOURS, (9, 99, 9)], np.uint8)[a])),
    "off by one": (BY_COLOUR, lambda p, a: tif(p, np.minimum(COLOURS[a % 3], 254))),
    "soft edges": (BY_COLOUR, lambda p, a: tif(p, blurred(a))),
    "transparent": (BY_COLOUR, lambda p, a: tif(p, with_alpha(a))),
    "clear everywhere": (BY_COLOUR, lambda p, a: tif(p, with_alpha(a * 0 + 3))),
    "grey as colours": (INDICES, lambda p, a: tif(p, np.dstack([a] * 3))),
    "16 bits in three bands": (INDICES, lambda p, a: tif(p, np.dstack([a.astype(np.uint16)] * 3))),
    "0 and 255": (TWO, lambda p, a: tif(p, np.minimum(a, 1) * np.uint8(255))),
    "0 and 255, soft": (TWO, lambda p, a: tif(p, blurred(np.minimum(a, 1))[..., 0])),
    "numbers of instances": (TWO, lambda p, a: tif(p, a)),
    "PNG palette": (INDICES, palette),
    "PNG palette by colour": (BY_COLOUR, palette),
    "PNG palette, clear entry": (TWO, lambda p, a: palette(p, a, 2)),
    "PNG colours": (BY_COLOUR, lambda p, a: png(p, Image.fromarray(with_alpha(a)))),
    "PNG of one bit": (TWO, lambda p, a: png(p, Image.fromarray(a > 0))),
    "PNG of 16 bits": (INDICES, lambda p, a: png(p, Image.fromarray(a.astype(np.uint16)))),
}  # fmt: skip


def by_rows(source, code, monkeypatch, steps=(7, 20, 1)):
    """Reads a mask in strips of a few rows, asked for in other numbers of rows."""
    monkeypatch.setattr(mask_file, "WHOLE", 0)
    monkeypatch.setattr(rows, "_AT_ONCE", 300)
    monkeypatch.setattr(rows, "_MOST_AT_ONCE", 2000)
    monkeypatch.setattr(histogram, "_PENDING", 3)
    with source.open(IMAGE, code) as opened:
        assert isinstance(opened, mask_file.RowLabels)
        height, parts, first = opened.size[0], [], 0
        while first < height:
            count = min(steps[len(parts) % len(steps)], height - first)
            parts.append(opened.rows(first, count))
            first += count
        return np.concatenate(parts), opened.finding


@NEEDS
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("preset", ["default", "milestone3"])
def test_a_mask_by_rows_is_the_mask_read_whole(tmp_path, monkeypatch, kind, preset):
    code, write = KINDS[kind]
    code = replace(code, unknown_label=0) if preset == "milestone3" else code
    path = write(tmp_path / "m", scene(classes=4))
    whole = read_mask(path.read_bytes(), code)

    labels, finding = by_rows(MaskFile(path), code, monkeypatch)

    assert np.array_equal(labels, whole.labels)
    assert (finding.unknown, finding.palette) == (whole.unknown, whole.palette)
    assert finding.smeared == pytest.approx(whole.smeared, abs=1e-12)


@NEEDS
@settings(max_examples=40, deadline=None)
@given(
    arrays.arrays(np.uint8, (9, 7), elements=st.integers(0, 5)),
    st.sampled_from(["uint8", "uint16", "uint32", "int64", "float32", "float64"]),
)
def test_any_numbers_by_rows(tmp_path_factory, numbers, dtype):
    path = tif(tmp_path_factory.getbasetemp() / "any.tif", numbers.astype(dtype))
    whole = read_mask(path.read_bytes(), INDICES)

    with pytest.MonkeyPatch.context() as patch:
        labels, finding = by_rows(MaskFile(path), INDICES, patch, (2, 3))

    assert np.array_equal(labels, whole.labels)
    assert finding.unknown == whole.unknown


def test_small_masks_are_read_whole(tmp_path):
    path = png(tmp_path / "a.png", Image.fromarray(scene()))

    with MaskFile(path).open(IMAGE, INDICES) as opened:
        assert np.array_equal(opened.rows(5, 50), scene()[5:55])
        assert (opened.size, opened.facts) == ((96, 96), None)


@NEEDS
def test_a_mask_within_a_georeferenced_mask_says_where_there_is_no_data(tmp_path):
    import rasterio

    path = tif(tmp_path / "a.tif", scene(), IMAGE.crs, IMAGE.transform)
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "r+") as dataset:
        dataset.write_mask(np.where(np.arange(96) < 9, 0, 255)[:, None].repeat(96, 1) > 0)

    with MaskFile(path).open(IMAGE, INDICES) as opened:
        found = opened.rows(0, 96)

    assert (found[:9] == IGNORE).all()
    assert np.array_equal(found[9:], scene()[9:])


@NEEDS
def test_a_mask_elsewhere_is_refused_by_its_facts(tmp_path):
    values = np.zeros((40, 60), np.uint8)
    path = tif(tmp_path / "m.tif", values, "EPSG:32632", (0.5, 0, 500_010, 0, -0.5, 5_300_000))

    with (
        MaskFile(path).open(IMAGE, INDICES) as opened,
        pytest.raises(DataError, match="lies 20 pixels beside it; --align"),
    ):
        refuse_unaligned("a.tif", IMAGE, opened.facts)


@NEEDS
@pytest.mark.parametrize("nodata", [None, 2, 9])
def test_align_brings_a_mask_onto_its_image(tmp_path, nodata):
    """Twice as coarse, beginning four pixels further right; a class may be called no data."""
    values = np.random.default_rng(0).integers(0, 3, (20, 28), np.uint8)
    path = tif(
        tmp_path / "m.tif", values, IMAGE.crs, (1, 0, 500_002, 0, -1, 5_300_000), nodata=nodata
    )

    with MaskFile(path, align=True).open(IMAGE, INDICES) as opened:
        found = opened.rows(0, 40)

    assert (opened.facts, opened.size) == (None, (40, 60))
    assert (found[:, :4] == IGNORE).all()
    assert np.array_equal(found[:, 4:], values.repeat(2, 0).repeat(2, 1))


@NEEDS
def test_a_mask_of_another_place_does_not_reach_its_image(tmp_path):
    values = np.zeros((20, 30), np.uint8)
    path = tif(tmp_path / "m.tif", values, IMAGE.crs, (1, 0, 600_000, 0, -1, 5_300_000))

    with pytest.raises(ValueError, match="does not reach its image"):
        MaskFile(path, align=True).open(IMAGE, INDICES)


def test_align_leaves_masks_without_a_place_alone(tmp_path):
    path = png(tmp_path / "a.png", Image.fromarray(scene()))

    with MaskFile(path, align=True).open(IMAGE, INDICES) as opened:
        assert np.array_equal(opened.rows(0, 96), scene())


@NEEDS
@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.full((30, 30), 0.5, np.float32), "no whole numbers, such as 0.5"),
        (np.zeros((30, 30, 5), np.uint8), "has 5 bands"),
        (np.zeros((30, 30, 3), np.float32), "has float32 values"),
    ],
    ids=["fractions", "bands", "floats as colours"],
)
def test_what_is_no_mask_is_told_in_words(tmp_path, monkeypatch, values, message):
    path = tif(tmp_path / "m.tif", values)

    with pytest.raises(ValueError, match=message):
        by_rows(MaskFile(path), INDICES, monkeypatch)


@NEEDS
def test_too_many_values_are_no_classes(tmp_path, monkeypatch):
    monkeypatch.setattr(histogram, "MOST_VALUES", 50)
    path = tif(tmp_path / "m.tif", np.arange(900, dtype=np.uint16).reshape(30, 30))

    with pytest.raises(ValueError, match="more than 50 different values"):
        by_rows(MaskFile(path), INDICES, monkeypatch)


@NEEDS
def test_a_cut_off_mask_is_seen(tmp_path, monkeypatch):
    path = tif(tmp_path / "m.tif", scene(edge=200))
    path.write_bytes(path.read_bytes()[:20_000])

    with pytest.raises(ValueError, match="cut off"):
        by_rows(MaskFile(path), INDICES, monkeypatch)


@NEEDS
def test_memory_does_not_grow_with_the_mask(tmp_path):
    """36 million pixels of three bands: 108 MB as they are, some 500 MB read whole."""
    import rasterio
    from rasterio.transform import Affine

    path, strip = tmp_path / "m.tif", np.tile(COLOURS[scene(edge=200)], (1, 30, 1))
    how = {"driver": "GTiff", "count": 3, "dtype": "uint8", "transform": Affine.scale(2)}
    how |= {"tiled": True, "compress": "deflate", "zlevel": 1, "photometric": "RGB"}
    with rasterio.open(path, "w", height=6000, width=6000, **how) as dataset:
        for first in range(0, 6000, 200):
            place = (first, first + 200), (0, 6000)
            dataset.write(np.moveaxis(strip, 2, 0), window=place)

    done = subprocess.run(
        [sys.executable, "-c", MEASURE, path], capture_output=True, text=True, check=True
    )

    labels, unknown, grown = json.loads(done.stdout)
    expected = np.bincount(scene(edge=200).ravel(), minlength=256) * 900
    assert labels == expected.tolist()
    assert unknown == {}
    assert grown < 250 * 2**20


def test_lossy_codecs_go_by_the_same_names():
    from bohb_seg.data.imagery.tags import _CODECS

    assert {name.removeprefix("TIFF (")[:-1] for name in containers.LOSSY_CODECS} <= {
        *_CODECS.values()
    }
    assert {
        f"TIFF ({_CODECS[number]})" for number in containers._LOSSY_COMPRESSIONS
    } <= containers.LOSSY_CODECS


def test_sources_are_values():
    assert len({MaskFile(Path("a")), MaskFile(Path("a")), MaskFile(Path("a"), align=True)}) == 2


@NEEDS
def test_a_mask_beside_its_image_is_noticed_without_rasterio(tmp_path, monkeypatch):
    import rasterio

    form = {"driver": "GTiff", "height": 32, "width": 40, "dtype": "uint8", "crs": "EPSG:32632"}
    for name, bands, left in (("image.tif", 3, 500_000), ("mask.tif", 1, 500_020)):
        place = rasterio.transform.from_origin(left, 5_000_000, 1, 1)
        with rasterio.open(tmp_path / name, "w", count=bands, transform=place, **form) as file:
            file.write(np.ones((bands, 32, 40), np.uint8))
    with open_image(tmp_path / "image.tif") as image:
        placed = image.facts
    monkeypatch.setattr(geotiff, "available", lambda: False)
    monkeypatch.setattr("bohb_seg.data.imagery.alignment.available", lambda: False)

    with open_image(tmp_path / "image.tif") as image:
        assert image.facts.transform == placed.transform
        with MaskFile(tmp_path / "mask.tif").open(image.facts, TWO) as labels:
            assert difference(image.facts, labels.facts) == "lies 20 pixels beside it"
        with pytest.raises(DataError, match="takes rasterio"):
            MaskFile(tmp_path / "mask.tif", align=True).open(image.facts, TWO)
