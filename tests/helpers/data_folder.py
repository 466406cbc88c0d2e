"""Writes tiny data folders."""

from pathlib import Path

import cv2
import numpy as np

from bohb_seg.data.classes import DUBAI, rgb
from bohb_seg.settings import DataSettings

COLOURS = np.array([rgb(entry.packed_colour) for entry in DUBAI], np.uint8)


def write(path: Path, pixels: np.ndarray) -> None:
    """Writes RGB or single-channel pixels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    values = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR) if pixels.ndim == 3 else pixels
    assert cv2.imwrite(str(path), values)


class Folder:
    """A data folder that is filled pair by pair."""

    def __init__(self, root: Path) -> None:
        self.root = root / "data"
        self.cache = root / "cache"
        self.random = np.random.default_rng(0)

    def add(self, group="Tile 1", name="a", size=(40, 40), labels=None, mask=None, image=None):
        """Adds an image, of noise by default, and its mask; labels are numbers of DUBAI's."""
        if labels is None:
            labels = self.random.integers(0, 5, size)
        if image is None:
            image = self.random.integers(0, 256, (*size, 3), dtype=np.uint8)
        write(self.root / group / "images" / f"{name}.png", image)
        write(
            self.root / group / "masks" / f"{name}.png", COLOURS[labels] if mask is None else mask
        )
        return image, labels

    @staticmethod
    def mask(labels):
        """The mask of labels, in colours."""
        return COLOURS[labels]

    def settings(self, **changes) -> DataSettings:
        defaults = {"data": str(self.root), "cache_dir": self.cache, "patch_size": 16}
        return DataSettings(**{**defaults, **changes})
