"""The patches of one part of the data: in memory where they are few, else read when they are used.

Either way an image is given to a network as 8-bit values, scaled as the training part asks for
(:mod:`bohb_seg.data.imagery.scaling`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, final

import numpy as np
import numpy.typing as npt

from bohb_seg.data.imagery.scaling import Scaling
from bohb_seg.data.pixels import Pixels
from bohb_seg.data.store.arrays import Bands
from bohb_seg.data.store.windows import Windows

Patches = tuple[Pixels, Pixels]
"""Images (n, size, size, bands) and labels (n, size, size), both uint8."""


class PatchSet(Protocol):
    """Patches of one size."""

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Number of patches, twice their edge in pixels, number of bands."""

    @property
    def sources(self) -> tuple[str, ...]:
        """Origin of each patch, "Tile 1/images/part_001.jpg@row,column", with the patch's upper
        left pixel after downscaling.
        """

    @property
    def held(self) -> Patches | None:
        """All patches, where they lie in memory anyway."""

    def __len__(self) -> int:
        """Number of patches."""

    def read(self, numbers: npt.ArrayLike) -> Patches:
        """Reads some patches, by their numbers.

        Raises:
            DataError: the store is damaged, or cannot be read.
        """


@final
@dataclass(frozen=True)
class HeldPatches:
    """Patches in memory.

    Args:
        images: uint8, (patches, size, size, bands).
        labels: Classes or IGNORE, uint8, (patches, size, size).
        sources: Origin of each patch.
    """

    images: Pixels
    labels: Pixels
    sources: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.images)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """See :class:`PatchSet`."""
        count, height, width, bands = self.images.shape
        return count, height, width, bands

    @property
    def held(self) -> Patches:
        """See :class:`PatchSet`."""
        return self.images, self.labels

    def read(self, numbers: npt.ArrayLike) -> Patches:
        """See :class:`PatchSet`."""
        rows = np.asarray(numbers)
        return self.images[rows], self.labels[rows]


@final
@dataclass(frozen=True)
class StoredPatches:
    """Patches that lie in a store.

    Args:
        windows: Their places.
        scaling: Makes their values those that a network sees.
        names: Names of the store's images.
    """

    windows: Windows
    scaling: Scaling
    names: Sequence[str]

    def __len__(self) -> int:
        return len(self.windows)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """See :class:`PatchSet`."""
        size, bands = self.windows.size, self.windows.store.layouts[0].bands
        return len(self), size, size, bands

    @property
    def held(self) -> None:
        """See :class:`PatchSet`."""
        return None

    @cached_property
    def sources(self) -> tuple[str, ...]:
        """See :class:`PatchSet`."""
        return tuple(self.windows.sources(self.names))

    def read(self, numbers: npt.ArrayLike) -> Patches:
        """See :class:`PatchSet`."""
        values, labels = self.windows.read(numbers)
        return scaled(values, self.scaling), labels


def scaled(values: Bands, scaling: Scaling) -> Pixels:
    """Values of the store (..., bands) as a network sees them, uint8; 0 where there is no data."""
    if scaling.keeps:
        return np.asarray(values, np.uint8)
    flat = values.reshape(-1, 1, values.shape[-1])
    valid = np.isfinite(flat).all(axis=2) if values.dtype.kind == "f" else np.True_
    valid = np.broadcast_to(valid, flat.shape[:2])
    return np.asarray(scaling.apply(flat, valid), np.uint8).reshape(values.shape)


def shown_bands(names: Sequence[str]) -> tuple[int, int, int]:
    """Numbers of the bands that pictures for people show as red, green and blue."""
    small = [name.lower() for name in names]
    if {"red", "green", "blue"} <= set(small):
        return small.index("red"), small.index("green"), small.index("blue")
    last = len(small) - 1
    return 0, min(1, last), min(2, last)
