"""Small stores of images whose pixels tell their places."""

import secrets

import cv2
import numpy as np

from bohb_seg.data.classes import ClassEntry
from bohb_seg.data.collection import Pair
from bohb_seg.data.decoding import Reading, decode_into
from bohb_seg.data.imagery.damage import Range
from bohb_seg.data.imagery.facts import Facts
from bohb_seg.data.masks import mask_code
from bohb_seg.data.records import Record
from bohb_seg.data.store.arrays import Store, building


def image_of(height, width, bands=3, dtype="uint8", seed=0):
    """Random bands, and labels of six classes."""
    random = np.random.default_rng([seed, height, width])
    pixels = random.integers(0, np.iinfo(dtype).max, (height, width, bands), dtype, endpoint=True)
    return pixels, random.integers(0, 6, (height, width), np.uint8)


def stored(folder, images):
    """A store of (bands, labels)."""
    with building(folder) as writer:
        for number, (pixels, labels) in enumerate(images):
            writer.add(number, pixels.shape, str(pixels.dtype), [(pixels, labels)])
    return Store.open(folder)


def decoded(folder, labels, **options):
    """A store of the only image in a folder with these labels, and its record."""
    (image,) = folder.glob("a.*")
    mask = folder / "mask.png"
    cv2.imwrite(str(mask), labels)
    code = mask_code(tuple(ClassEntry(name=f"class {i}", index=i) for i in range(6)), "default")
    place = folder / secrets.token_hex(4)
    with building(place) as writer:
        record = decode_into(writer, 0, Pair("a", "", image, mask), Reading(code, **options))
        assert not isinstance(record, str), record
    return Store.open(place), record


def record(name, group, size, pixels):
    """Facts about an ordinary image."""
    bands = ("red", "green", "blue")
    facts = Facts(*size, 3, bands, "uint8", codec="PNG")
    values = Range((0.0,) * 3, (250.0,) * 3, (255.0,) * 3)
    return Record(name, group, size, size, pixels, {}, False, 0.0, "uint8", bands, facts, values)
