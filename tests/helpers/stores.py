"""Small stores of images whose pixels tell their places."""

import numpy as np

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
