"""Random views of patches, on uint8 arrays: flips, quarter turns, colour changes."""

import numpy as np
from numpy.typing import NDArray

LARGEST_GAIN = 0.3
"""A channel is multiplied by 1 ± this at strength 1: about the range of daylight and sensors."""
LARGEST_SHIFT = 40
"""This many of the 255 grey levels are added or taken away at strength 1."""


def augment(
    images: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    strength: float,
    random: np.random.Generator,
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Turns and flips every patch at random and changes its colours.

    Args:
        images: (n, p, p, 3) RGB.
        labels: (n, p, p) classes; turned and flipped alike.
        strength: Of the colour changes, 0..1.
        random: All randomness comes from here.

    Returns:
        New arrays of the same shapes.
    """
    count = len(images)
    turns, flips = random.integers(4, size=count), random.integers(2, size=count)
    tables = _colour_tables(count, strength, random)
    views, masks = np.empty_like(images), np.empty_like(labels)
    channels = np.arange(3)
    for index in range(count):
        image, label = np.rot90(images[index], turns[index]), np.rot90(labels[index], turns[index])
        if flips[index]:
            image, label = image[:, ::-1], label[:, ::-1]
        views[index] = tables[index][channels, image] if strength else image
        masks[index] = label
    return views, masks


def _colour_tables(count: int, strength: float, random: np.random.Generator) -> NDArray[np.uint8]:
    """Look-up tables (count, 3, 256): one gain per channel and one shift per patch."""
    gains = 1 + LARGEST_GAIN * strength * random.uniform(-1, 1, (count, 3, 1))
    shifts = LARGEST_SHIFT * strength * random.uniform(-1, 1, (count, 1, 1))
    return np.asarray(np.clip(np.arange(256) * gains + shifts, 0, 255).round(), np.uint8)
