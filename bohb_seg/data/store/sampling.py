"""Windows at random places, drawn anew for each epoch from its own generator and nothing else.

First a pixel near labels is drawn, then a window around it, which is pushed back into the part
where it reaches out. So a corner is shown a quarter as often as the middle (and not once in a
thousand windows), and areas without labels are left out. A share of the windows begins with a pixel
of a rare class instead, each rare class as often as the others.

Where classes are is known by blocks: the tiles of the store, cut to the part.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import numpy.typing as npt

from bohb_seg.data.pixels import Pixels
from bohb_seg.data.store.arrays import Store
from bohb_seg.data.store.windows import Numbers, Windows, at

RARE = 0.5
"""A class is rare if it has less than so many even shares of the labelled pixels."""

ReadLabels = Callable[[Sequence[int]], Pixels]
"""Reads the labels of a rectangle: image, top, left, bottom, right."""


@final
@dataclass(frozen=True)
class RandomSampling:
    """Windows at random places of a part.

    Args:
        store: Holds the images.
        count: Windows of an epoch.
        places: Draws them.
    """

    store: Store
    count: int
    places: "Places"

    def epoch(self, random: np.random.Generator) -> Windows:
        """New windows."""
        drawn = self.places.draw(self.count, random, _reader(self.store))
        return at(self.store, self.places.size, drawn)


@dataclass(frozen=True)
class Blocks:
    """Blocks of a part, none of them larger than a tile.

    Args:
        rectangles: Image, top, left, bottom, right of each, (n, 5).
        region: Number of the region that each lies in, (n,).
        shows: Whether each shows each class, (n, classes).
    """

    rectangles: Numbers
    region: Numbers
    shows: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Places:
    """All places that can be drawn.

    Args:
        size: Edge of a window in pixels.
        regions: Rectangles that windows stay in: image, top, left, bottom, right, (r, 5). One that
            is smaller than a window is the whole image in that direction, which is then padded.
        blocks: Blocks of the regions; at least one shows a class.
        rare: Rare classes; each is shown by at least one block.
        rare_share: Share of the windows, from 0 to 1, that show a rare class for sure.
    """

    size: int
    regions: Numbers
    blocks: Blocks
    rare: tuple[int, ...]
    rare_share: float

    def draw(self, count: int, random: np.random.Generator, labels: ReadLabels) -> Numbers:
        """Draws windows.

        Args:
            count: Number of windows.
            random: All randomness.
            labels: Reads the labels of a block.

        Returns:
            Image, row and column of each window, (count, 3).
        """
        rare = round(self.rare_share * count) if self.rare else 0
        chosen, row, column = self._anywhere(count - rare, random)
        shown = [self._rare(random, labels) for _ in range(rare)]
        more = np.array(shown, np.int64).reshape(-1, 3).T
        region = self.blocks.region[np.append(chosen, more[0])]
        image, top, left, bottom, right = self.regions[region].T
        rows = self._starts(np.append(row, more[1]), top, bottom, random)
        columns = self._starts(np.append(column, more[2]), left, right, random)
        return random.permutation(np.stack([image, rows, columns], axis=1))

    def _anywhere(
        self, count: int, random: np.random.Generator
    ) -> tuple[Numbers, Numbers, Numbers]:
        """Block, row and column of pixels anywhere in blocks that show a class."""
        labelled = np.flatnonzero(self.blocks.shows.any(axis=1))
        _, top, left, bottom, right = self.blocks.rectangles[labelled].T
        reached = np.cumsum((bottom - top) * (right - left))
        chosen = np.searchsorted(reached, random.integers(reached[-1], size=count), side="right")
        rows = random.integers(top[chosen], bottom[chosen])
        return labelled[chosen], rows, random.integers(left[chosen], right[chosen])

    def _rare(self, random: np.random.Generator, labels: ReadLabels) -> tuple[int, int, int]:
        """Block, row and column of a pixel of a rare class."""
        label = self.rare[random.integers(len(self.rare))]
        block = int(random.choice(np.flatnonzero(self.blocks.shows[:, label])))
        rectangle = self.blocks.rectangles[block].tolist()
        rows, columns = np.nonzero(labels(rectangle) == label)
        pixel = random.integers(len(rows))
        return block, rectangle[1] + int(rows[pixel]), rectangle[2] + int(columns[pixel])

    def _starts(
        self, pixels: Numbers, first: Numbers, end: Numbers, random: np.random.Generator
    ) -> Numbers:
        """A first pixel for each window along one axis, by the pixel that it must show."""
        starts = pixels - random.integers(self.size, size=len(pixels))
        # Still shows its pixel after it is pushed, because that lies in the part, too.
        pushed: Numbers = np.clip(starts, first, np.maximum(first, end - self.size))
        return pushed


def blocks_of(store: Store, regions: Numbers, classes: int) -> Blocks:
    """Finds the blocks of regions; labels are read only where a tile lies partly in one.

    Raises:
        DataError: the store is damaged, or cannot be read.
    """
    read = _reader(store)
    rectangles, region, shows = [], [], []
    for number, (image, *edges) in enumerate(regions.tolist()):
        present = store.shows(image)[..., :classes]
        for tile, rectangle, whole in _tiles_within(store, image, edges):
            block = (image, *rectangle)
            rectangles.append(block)
            region.append(number)
            shows.append(present[tile] if whole else np.isin(np.arange(classes), read(block)))
    return Blocks(
        np.array(rectangles, np.int64).reshape(-1, 5),
        np.array(region, np.int64),
        np.array(shows, np.bool_).reshape(-1, classes),
    )


def rare_classes(blocks: Blocks, pixels: Numbers) -> tuple[int, ...]:
    """Classes with few pixels in a part; the one with fewest, where all have about as many.

    Args:
        blocks: Blocks of the part; a class that none of them shows is left out.
        pixels: Labelled pixels of each class in the part, (classes,).
    """
    present = np.flatnonzero(blocks.shows.any(axis=0))
    even = pixels[present].sum() / max(1, len(present))
    few = [int(label) for label in present if pixels[label] < RARE * even]
    return tuple(few or [int(label) for label in present[np.argsort(pixels[present])][:1]])


def _tiles_within(
    store: Store, image: int, edges: Sequence[int]
) -> Iterator[tuple[tuple[int, int], tuple[int, int, int, int], bool]]:
    """Every tile that a region touches, cut to the region, and whether nothing was cut off."""
    layout = store.layouts[image]
    high, wide = layout.tile
    top, left, bottom, right = edges
    for down in range(top // high, -(-bottom // high)):
        for across in range(left // wide, -(-right // wide)):
            tile = (
                down * high,
                across * wide,
                min((down + 1) * high, layout.height),
                min((across + 1) * wide, layout.width),
            )
            cut = max(top, tile[0]), max(left, tile[1]), min(bottom, tile[2]), min(right, tile[3])
            yield (down, across), cut, cut == tile


def _reader(store: Store) -> ReadLabels:
    def read(rectangle: Sequence[int]) -> Pixels:
        image, top, left, bottom, right = rectangle
        return store.window(image, top, left, bottom - top, right - left)[1]

    return read
