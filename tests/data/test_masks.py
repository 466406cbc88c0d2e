import struct
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from bohb_seg.data.classes import DUBAI, ClassEntry
from bohb_seg.data.mask_reading.reading import read_mask
from bohb_seg.data.masks import mask_code
from bohb_seg.trials import IGNORE

INDEXED = (
    ClassEntry(name="road", index=1),
    ClassEntry(name="roof", index=3, colour="#102030"),
    ClassEntry(name="void", index=0, ignore=True),
)


def png(pixels):
    values = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR) if pixels.ndim == 3 else pixels
    return cv2.imencode(".png", values)[1].tobytes()


def raw_png(rows, depth, colour_type, palette=b""):
    """A PNG of one row of packed bytes per row, as OpenCV cannot write it."""

    def chunk(kind, content):
        checked = kind + content
        return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))

    width = len(rows[0]) * 8 // depth
    header = struct.pack(">IIBBBBB", width, len(rows), depth, colour_type, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + bytes(row) for row in rows))
    chunks = chunk(b"IHDR", header) + (chunk(b"PLTE", palette) if palette else b"")
    return b"\x89PNG\r\n\x1a\n" + chunks + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def naive(mask, entries, unknown):
    """Colour by colour, as everybody writes it."""
    labels = np.full(mask.shape[:2], unknown, np.uint8)
    for label, entry in enumerate(entries):
        colour = [int(entry.colour[i : i + 2], 16) for i in (1, 3, 5)]
        labels[(mask == colour).all(axis=2)] = IGNORE if entry.ignore else label
    return labels


@given(arrays.arrays(np.uint8, (7, 5), elements=st.integers(0, 7)))
def test_the_look_up_equals_comparing_colour_by_colour(numbers):
    strange = np.array([[0, 0, 0], [60, 116, 153]], np.uint8)
    known = np.array([[int(e.colour[i : i + 2], 16) for i in (1, 3, 5)] for e in DUBAI], np.uint8)
    mask = np.concatenate([known, strange])[numbers]

    decoded = read_mask(png(mask), mask_code(DUBAI, "default"))

    assert np.array_equal(decoded.labels, naive(mask, DUBAI, IGNORE))
    assert sum(decoded.unknown.values()) == (numbers >= 6).sum()
    assert set(decoded.unknown) <= {"#000000", "#3C7499"}


def test_preset_seed_takes_unlabeled_as_a_class_and_black_as_building():
    mask = np.array([[[0x9B, 0x9B, 0x9B], [0, 0, 0], [0xE2, 0xA9, 0x29]]], np.uint8)
    code = mask_code(DUBAI, "milestone3")

    decoded = read_mask(png(mask), code)

    names = ("building", "land", "road", "vegetation", "water", "unlabeled")
    assert code.classes.names == names
    assert decoded.labels.tolist() == [[5, 0, 4]]
    assert decoded.unknown == {"#000000": 1}


def test_index_masks_are_looked_up_by_value():
    decoded = read_mask(png(np.array([[0, 1, 3, 7]], np.uint8)), mask_code(INDEXED, "default"))

    assert decoded.labels.tolist() == [[IGNORE, 0, 1, IGNORE]]
    assert decoded.unknown == {"index 7": 1}


def test_sixteen_bit_index_masks_are_looked_up_by_value():
    entries = (ClassEntry(name="a", index=700), ClassEntry(name="b", index=65535))

    decoded = read_mask(png(np.array([[65535, 700]], np.uint16)), mask_code(entries, "default"))

    assert decoded.labels.tolist() == [[1, 0]]


def test_indices_of_few_bits_are_read_as_written():
    code = mask_code(INDEXED, "default")

    # Four pixels of two bits: 0, 1, 3, 1.
    decoded = read_mask(raw_png([[0b00_01_11_01]], depth=2, colour_type=0), code)

    assert decoded.labels.tolist() == [[IGNORE, 0, 1, 0]]


def test_without_indices_in_the_table_grey_is_a_colour():
    entries = (ClassEntry(name="no", colour="#000000"), ClassEntry(name="yes", colour="#FFFFFF"))

    decoded = read_mask(png(np.array([[0, 255, 9]], np.uint8)), mask_code(entries, "default"))

    assert decoded.labels.tolist() == [[0, 1, IGNORE]]
    assert decoded.unknown == {"#090909": 1}


@pytest.mark.parametrize(("entries", "labels"), [(DUBAI, [[0, 2, 1]]), (INDEXED, [[IGNORE, 0, 1]])])
def test_palette_masks_are_read_by_colour_or_by_index(entries, labels):
    palette = bytes.fromhex("3C10986EC1E40000008429F6")
    content = raw_png([[0, 1, 3]], depth=8, colour_type=3, palette=palette)

    decoded = read_mask(content, mask_code(entries, "default"))

    assert decoded.labels.tolist() == labels
    assert decoded.palette


def test_alpha_is_dropped():
    mask = np.array([[[0x98, 0x10, 0x3C, 0]]], np.uint8)

    assert read_mask(png_alpha(mask), mask_code(DUBAI, "default")).labels.tolist() == [[0]]


def png_alpha(bgra):
    return cv2.imencode(".png", bgra)[1].tobytes()


def test_sixteen_bit_colours_are_refused():
    with pytest.raises(ValueError, match="has uint16 values; save it as 8-bit"):
        read_mask(png(np.zeros((2, 2, 3), np.uint16)), mask_code(DUBAI, "default"))
