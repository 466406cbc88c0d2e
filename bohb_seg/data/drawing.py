"""Patches at random places of the training part, drawn anew for each epoch."""

from dataclasses import dataclass
from typing import final

import numpy as np

from bohb_seg.data.patch_sets import StoredPatches
from bohb_seg.data.store.sampling import Places, RandomSampling, blocks_of, rare_classes
from bohb_seg.data.store.windows import Numbers, around


@final
@dataclass(frozen=True)
class RandomPatches:
    """Draws as many patches as the grid has.

    Args:
        sampling: Draws their places.
        grid: The patches of the grid, for scaling and names.
    """

    sampling: RandomSampling
    grid: StoredPatches

    def epoch(self, random: np.random.Generator) -> StoredPatches:
        """The patches of one epoch.

        Raises:
            DataError: the store is damaged, or cannot be read.
        """
        windows = self.sampling.epoch(random)
        return StoredPatches(windows, self.grid.scaling, self.grid.names)


def random_patches(grid: StoredPatches, pixels: Numbers, rare_share: float) -> RandomPatches:
    """Patches anywhere in the rectangles that the training part's grid covers.

    Args:
        grid: All patches of the training part.
        pixels: Pixels of each class in the training part, (classes,).
        rare_share: Share of the patches that show a rare class for sure.

    Raises:
        DataError: the store is damaged, or cannot be read.
    """
    windows = grid.windows
    edges = [(each.height, each.width) for each in windows.store.layouts]
    # Every split but that by patches gives a part whole images, or whole strips of them.
    regions = around(windows.places, windows.size, edges)
    blocks = blocks_of(windows.store, regions, len(pixels))
    rare = rare_classes(blocks, pixels)
    places = Places(windows.size, regions, blocks, rare, rare_share)
    return RandomPatches(RandomSampling(windows.store, len(windows), places), grid)
