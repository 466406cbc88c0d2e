"""Labels in every container that tools write, read back, and oddities that data sets have."""

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from bohb_seg.data import masks
from bohb_seg.data.classes import DUBAI, ClassEntry
from bohb_seg.data.imagery import geotiff
from bohb_seg.data.mask_reading.nearest import ROUNDED
from bohb_seg.data.mask_reading.reading import read_mask
from bohb_seg.trials import IGNORE

COLOURS = np.array([(0, 0, 0), (255, 0, 0), (0, 0, 255)], np.uint8)
INDICES = masks.mask_code(
    tuple(ClassEntry(name=n, index=i) for i, n in enumerate("abc")), "default"
)
BY_COLOUR = masks.mask_code(
    tuple(
        ClassEntry(name=name, colour="#{:02X}{:02X}{:02X}".format(*colour))
        for name, colour in zip("abc", COLOURS.tolist(), strict=True)
    ),
    "default",
)


def two(second, first=0):
    return masks.mask_code(
        (ClassEntry(name="a", index=first), ClassEntry(name="b", index=second)), "default"
    )


def scene(seed=1, edge=96):
    """Overlapping boxes of three classes, as the cases draw them."""
    random, labels = np.random.default_rng(seed), np.zeros((edge, edge), np.uint8)
    for _ in range(20):
        y, x = random.integers(edge, size=2)
        labels[max(0, y - 20) : y + 20, max(0, x - 20) : x + 20] = random.integers(3)
    return labels


def pillow(array, kind, palette=None, **how):
    image = Image.fromarray(array)
    if palette is not None:
        image = Image.frombytes("P", array.shape[::-1], array.tobytes())
        image.putpalette(np.asarray(palette, np.uint8).ravel().tolist())
    file = io.BytesIO()
    image.save(file, kind, **how)
    return file.getvalue()


def tiff(array, nodata=None):
    """An uncompressed TIFF of one band and any type of numbers."""
    formats = {"u": 1, "i": 2, "f": 3}
    pixels, text = (
        array.astype(array.dtype.newbyteorder("<")).tobytes(),
        f"{nodata!s:>12}\0".encode(),
    )
    tags = [
        (256, 4, 1, array.shape[1]), (257, 4, 1, array.shape[0]),
        (258, 3, 1, array.dtype.itemsize * 8), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, 8),
        (277, 3, 1, 1), (278, 4, 1, array.shape[0]), (279, 4, 1, len(pixels)),
        (339, 3, 1, formats[array.dtype.kind]),
    ]  # fmt: skip
    if nodata is not None:
        tags.append((42113, 2, len(text), 8 + len(pixels)))
    blob = pixels + text.ljust(32, b"\0") + struct.pack("<H", len(tags))
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    return b"II*\0" + struct.pack("<I", 8 + len(pixels) + 32) + blob + entries + b"\0\0\0\0"


def with_entries(png, count):
    """A palette PNG with only the first entries of its palette."""
    start = png.index(b"PLTE") - 4
    (size,) = struct.unpack(">I", png[start : start + 4])
    chunk = b"PLTE" + png[start + 8 : start + 8 + 3 * count]
    whole = struct.pack(">I", 3 * count) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return png[:start] + whole + png[start + 12 + size :]


REPEATED = [(0, 0, 0), (255, 0, 0), (255, 0, 0)]
"""A palette that shows two classes in one colour."""

INDEX_CONTAINERS = {
    "png": lambda a: pillow(a, "PNG"),
    "grey as RGB": lambda a: pillow(np.dstack([a] * 3), "PNG"),
    "grey as RGBA": lambda a: pillow(np.dstack([a] * 3 + [np.full_like(a, 255)]), "PNG"),
    "LA in PNG": lambda a: pillow(np.dstack([a, np.full_like(a, 255)]), "PNG"),
    "LA in TIFF": lambda a: pillow(np.dstack([a, np.full_like(a, 255)]), "TIFF"),
    "palette PNG": lambda a: pillow(a, "PNG", COLOURS),
    "palette PNG of 4 bits": lambda a: pillow(a, "PNG", COLOURS, bits=4),
    "palette PNG, a colour twice": lambda a: pillow(a, "PNG", REPEATED),
    "palette PNG, one entry": lambda a: with_entries(pillow(a, "PNG", [*COLOURS] * 80), 1),
    "palette PNG, no entries": lambda a: with_entries(pillow(a, "PNG", [*COLOURS] * 80), 0),
    "palette TIFF": lambda a: pillow(a, "TIFF", [*COLOURS, *[(0, 0, 0)] * 253]),
    "palette BMP": lambda a: pillow(a, "BMP", COLOURS),
    "palette BMP, a colour twice": lambda a: pillow(a, "BMP", REPEATED),
    "GIF": lambda a: pillow(a, "GIF", COLOURS, optimize=False),
    "16-bit PNG": lambda a: cv2.imencode(".png", a.astype(np.uint16))[1].tobytes(),
    "lossless WebP": lambda a: pillow(np.dstack([a] * 3), "WEBP", lossless=True),
    "LZW TIFF": lambda a: pillow(a, "TIFF", compression="tiff_lzw"),
    **{
        f"{kind} TIFF": lambda a, kind=kind: tiff(a.astype(kind))
        for kind in ("uint8", "uint16", "uint32", "int8", "int16", "int32", "float32", "float64")
    },
}
COLOUR_CONTAINERS = {
    "RGB PNG": lambda a: pillow(COLOURS[a], "PNG"),
    "RGB TIFF": lambda a: pillow(COLOURS[a], "TIFF"),
    "RGB BMP": lambda a: pillow(COLOURS[a], "BMP"),
    "lossless WebP": lambda a: pillow(COLOURS[a], "WEBP", lossless=True),
    "palette PNG": lambda a: pillow(a, "PNG", COLOURS),
    "palette TIFF": lambda a: pillow(a, "TIFF", [*COLOURS, *[(0, 0, 0)] * 253]),
    "palette BMP": lambda a: pillow(a, "BMP", COLOURS),
    "GIF": lambda a: pillow(a, "GIF", COLOURS),
    "off by one": lambda a: pillow(np.where(COLOURS[a] == 255, 254, COLOURS[a]), "PNG"),
}
BIT_CONTAINERS = {
    "PNG": lambda a: pillow(a > 0, "PNG"),
    "TIFF": lambda a: pillow(a > 0, "TIFF"),
    "BMP": lambda a: pillow(a > 0, "BMP"),
    "GIF": lambda a: pillow(a > 0, "GIF"),
    "0/255": lambda a: pillow(a * np.uint8(255), "PNG"),
    "0/255 as RGB": lambda a: pillow(np.dstack([a * np.uint8(255)] * 3), "PNG"),
    "0/255 TIFF": lambda a: pillow(a * np.uint8(255), "TIFF"),
    "0/1": lambda a: pillow(a, "PNG"),
}


def small(classes):
    shapes = st.tuples(st.integers(1, 9), st.integers(1, 9))
    return arrays.arrays(np.uint8, shapes, elements=st.integers(0, classes - 1))


@pytest.mark.parametrize("container", INDEX_CONTAINERS)
@settings(max_examples=10, deadline=None)
@given(small(3))
def test_indices_come_back_from_every_container(container, labels):
    found = read_mask(INDEX_CONTAINERS[container](labels), INDICES)

    assert np.array_equal(found.labels, labels)
    assert (dict(found.unknown), found.smeared) == ({}, 0)


@pytest.mark.parametrize("container", COLOUR_CONTAINERS)
@settings(max_examples=10, deadline=None)
@given(small(3))
def test_colours_come_back_from_every_container(container, labels):
    found = read_mask(COLOUR_CONTAINERS[container](labels), BY_COLOUR)

    assert np.array_equal(found.labels, labels)
    assert not found.unknown
    assert found.smeared == ((labels > 0).mean() if container == "off by one" else 0)


@pytest.mark.parametrize("container", BIT_CONTAINERS)
@pytest.mark.parametrize("second", [1, 255])
@settings(max_examples=10, deadline=None)
@given(small(2))
def test_two_classes_are_0_and_1_or_0_and_255(container, second, labels):
    found = read_mask(BIT_CONTAINERS[container](labels), two(second))

    assert np.array_equal(found.labels, labels)
    assert not found.unknown


def test_the_reports_knew_no_nearest_colour():
    mask = np.array([[(0x3C, 0x10, 0x99), (0xE2, 0xA9, 0x29)]], np.uint8)

    found = read_mask(pillow(mask, "PNG"), masks.mask_code(DUBAI, "milestone3"))

    assert found.labels.tolist() == [[0, 4]]
    assert (found.unknown, found.smeared) == ({"#3C1099": 1}, 0)


@pytest.mark.parametrize(
    ("kind", "how"),
    [("JPEG", {}), ("WEBP", {}), ("WEBP", {"exif": b"Exif"}), ("TIFF", {"compression": "jpeg"})],
)
def test_smeared_colours_take_the_nearest_class_and_are_counted(kind, how):
    labels = scene()

    found = read_mask(pillow(COLOURS[labels], kind, quality=90, **how), BY_COLOUR)

    known = found.labels != IGNORE
    assert (found.labels[known] == labels[known]).mean() > 0.998
    assert known.mean() > 0.95
    assert 0.1 < found.smeared < 1


def test_soft_edges_take_the_nearest_class():
    labels = scene()

    found = read_mask(pillow(cv2.GaussianBlur(COLOURS[labels], (3, 3), 0.8), "PNG"), BY_COLOUR)

    assert (found.labels == labels).mean() > 0.995
    assert 0 < found.smeared < 0.25


@pytest.mark.parametrize("blur", [False, True])
def test_two_classes_in_grey_may_be_smeared(blur):
    labels = np.minimum(scene(), 1)
    grey = labels * np.uint8(255)
    content = pillow(cv2.GaussianBlur(grey, (3, 3), 0.8), "PNG") if blur else pillow(grey, "JPEG")

    found = read_mask(content, two(1))

    assert (found.labels == labels).mean() > 0.995
    assert found.smeared > 0
    assert not found.unknown


def test_a_forgotten_class_stays_unknown():
    """One colour that is in no class is no soft edge, however near it is beyond the distance."""
    mask = COLOURS[scene()]
    mask[:40] = (255, 0, int(ROUNDED) + 1)

    found = read_mask(pillow(mask, "PNG"), BY_COLOUR)

    assert found.unknown == {"#FF000D": 40 * 96}
    assert (found.labels[:40] == IGNORE).all()


def test_many_numbers_are_not_two_classes():
    """Numbers of instances must not become the nearer one of 0 and 255."""
    numbers = np.arange(64, dtype=np.uint8).reshape(8, 8)

    found = read_mask(pillow(numbers, "PNG"), two(1))

    assert sum(found.unknown.values()) == 62


def test_what_is_negative_undefined_or_declared_to_be_no_data_is_ignored():
    values = np.array([[-9999, np.nan, 2, 77, 1]], np.float32)

    found = read_mask(tiff(values, nodata=77), INDICES)

    assert found.labels.tolist() == [[IGNORE, IGNORE, 2, IGNORE, 1]]
    assert not found.unknown
    declared = read_mask(tiff(values, nodata="nan"), INDICES)
    assert declared.unknown == {"index 77": 1}


def test_a_class_of_the_table_is_one_though_the_file_calls_it_no_data():
    found = read_mask(tiff(np.array([[0, 1, 2]], np.uint8), nodata=0), INDICES)

    assert found.labels.tolist() == [[0, 1, 2]]


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_transparent_pixels_are_ignored(kind):
    mask = np.dstack([COLOURS[[[0, 1, 2]]], np.array([[0, 255, 3]], np.uint8)])

    found = read_mask(pillow(mask, kind), BY_COLOUR)

    assert found.labels.tolist() == [[IGNORE, 1, 2]]


def test_alpha_that_is_zero_everywhere_says_nothing():
    mask = np.dstack([COLOURS[[[0, 1, 2]]], np.zeros((1, 3), np.uint8)])

    assert read_mask(pillow(mask, "PNG"), BY_COLOUR).labels.tolist() == [[0, 1, 2]]


def test_a_transparent_palette_entry_is_ignored_unless_it_is_a_class():
    content = pillow(np.array([[0, 1, 2]], np.uint8), "GIF", COLOURS, transparency=2)

    assert read_mask(content, INDICES).labels.tolist() == [[0, 1, 2]]
    assert read_mask(content, two(1)).labels.tolist() == [[0, 1, IGNORE]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (tiff(np.array([[0.5]], np.float32)), "no whole numbers, such as 0.5"),
        (pillow(np.zeros((2, 2), np.uint8), "PNG", COLOURS)[:-30], "is cut off"),
        (pillow(np.zeros((64, 64), np.uint8), "GIF", COLOURS)[:40], "damaged|not an image"),
        (b"text", "is not an image"),
        (b"", "is empty"),
    ],
)
def test_what_cannot_be_a_mask_is_told_in_words(content, message):
    with pytest.raises(ValueError, match=message):
        read_mask(content, INDICES)


@pytest.mark.skipif(
    not geotiff.available(), reason="rasterio is not installed: pip install 'bohb-seg[geo]'"
)
@pytest.mark.parametrize("kind", ["int64", "uint64", "float16"])
def test_numbers_that_only_gdal_reads(kind):
    found = read_mask(tiff(scene().astype(kind), nodata=2), INDICES)

    assert np.array_equal(found.labels, scene())
    assert not found.unknown


def test_numbers_that_only_gdal_reads_name_the_cure(monkeypatch):
    monkeypatch.setattr("bohb_seg.data.mask_reading.containers.available", lambda: False)

    with pytest.raises(ValueError, match=r"takes rasterio; pip install 'bohb-seg\[geo\]'"):
        read_mask(tiff(np.zeros((2, 2), np.int64)), INDICES)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "GIF"])
def test_large_files_are_no_bombs(kind, monkeypatch):
    """Pillow's guard refuses 180 million pixels; a palette mask of a mosaic has more."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 4)
    labels = scene()

    found = read_mask(pillow(labels, kind, [*COLOURS, *[(9, 9, 9)] * 253]), INDICES)

    assert np.array_equal(found.labels, labels)
