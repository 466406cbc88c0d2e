"""Decoded images with their labels on disk, read by window.

A store is a folder. ``pixels.bin`` holds all images as tiles of about 64 x 64 pixels, so that a
window touches few pages; ``tiles.bin`` holds a checksum of each tile and which labels it shows;
``index.json`` says where each image lies. The folder appears when it is whole. Nothing is forced to
disk, so a crash of the machine may damage it: a tile is checked when a process first reads it.

Tiles are read, not mapped. Pages that are read lie in the system's cache, once for all processes,
and belong to none of them; mapped ones would count as memory of each. A file that is cut off while
it is mapped would end the process by a signal; here it is an error.
"""

import contextlib
import json
import math
import os
import threading
import weakref
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, final

import numpy as np
import numpy.typing as npt

from bohb_seg.data.pixels import Pixels
from bohb_seg.errors import DataError
from bohb_seg.files import whole_folder
from bohb_seg.trials import IGNORE

Bands = npt.NDArray[Any]
"""Values of an image, uint8, uint16 or float32, (height, width, bands)."""
Strip = tuple[Bands, Pixels]
"""Some rows of an image, over its whole width: bands, and labels (height, width)."""

FORMAT = 2
"""Version of the files; a store of another one is not whole."""
TILE = 64
"""Edge of a tile in pixels, at most."""

_PIXELS, _TILES, _INDEX = "pixels.bin", "tiles.bin", "index.json"
_TILE_FACTS = np.dtype([("checksum", "<u4"), ("labels", "u1", (32,))])
"""Facts about a tile: CRC-32 of its bytes, and one bit for each of 256 labels."""


@dataclass(frozen=True)
class Layout:
    """Form and place of one image.

    Args:
        height: In pixels.
        width: In pixels.
        bands: Number of bands.
        dtype: "uint8", "uint16" or "float32".
        start: Its first byte in ``pixels.bin``.
        first: Number of its first tile in ``tiles.bin``.
    """

    height: int
    width: int
    bands: int
    dtype: str
    start: int
    first: int

    @cached_property
    def tiles(self) -> tuple[int, int]:
        """Number of tiles down and across."""
        return math.ceil(self.height / TILE), math.ceil(self.width / TILE)

    @cached_property
    def tile(self) -> tuple[int, int]:
        """Height and width of a tile: all are equal, so that little of the last ones is empty."""
        down, across = self.tiles
        return math.ceil(self.height / down), math.ceil(self.width / across)

    @cached_property
    def record(self) -> np.dtype[Any]:
        """One tile as it lies on disk."""
        values = np.dtype(self.dtype).newbyteorder("<")
        return np.dtype([("bands", values, (*self.tile, self.bands)), ("labels", "u1", self.tile)])

    @property
    def bytes(self) -> int:
        """Bytes of all tiles."""
        return math.prod(self.tiles) * self.record.itemsize


class UnwritableError(OSError):
    """The store cannot be written, for example because the disk is full."""


@final
class StoreWriter:
    """A store that is being built; several threads may add images at once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._layouts: dict[int, Layout] = {}
        for name in (_PIXELS, _TILES):
            (folder / name).write_bytes(b"")

    def add(
        self, number: int, form: tuple[int, int, int], dtype: str, strips: Iterable[Strip]
    ) -> None:
        """Writes one image; memory holds one strip and one row of tiles.

        Args:
            number: Its number among all; in the end all from 0 on must have been added.
            form: Height, width and number of bands.
            dtype: "uint8", "uint16" or "float32".
            strips: Its rows from top to bottom, any number at a time.

        Raises:
            UnwritableError: the files cannot be written.
            OSError: the strips cannot be read.
        """
        layout = self._place(number, form, dtype)
        down, across = layout.tiles
        facts = np.zeros((down, across), _TILE_FACTS)
        place = layout.start
        for row, (bands, labels) in enumerate(_rows_of_tiles(layout, strips)):
            tiles = np.empty(across, layout.record)
            tiles["bands"], tiles["labels"] = bands, labels
            self._write(_PIXELS, place, tiles.tobytes())
            place += tiles.nbytes
            facts["checksum"][row] = [zlib.crc32(tile.tobytes()) for tile in tiles]
            facts["labels"][row] = [_present(tile["labels"]) for tile in tiles]
        self._write(_TILES, layout.first * _TILE_FACTS.itemsize, facts.tobytes())

    def _write(self, name: str, start: int, content: bytes) -> None:
        try:
            with (self._folder / name).open("r+b") as file:
                file.seek(start)
                file.write(content)
        except OSError as error:
            raise UnwritableError(error.errno, error.strerror) from None

    def _place(self, number: int, form: tuple[int, int, int], dtype: str) -> Layout:
        assert min(form) >= 1, f"image {number} has no pixels: {form}"
        with self._lock:
            assert number not in self._layouts, f"image {number} was added twice"
            last = max(self._layouts.values(), key=lambda each: each.start, default=None)
            start = last.start + last.bytes if last else 0
            first = last.first + math.prod(last.tiles) if last else 0
            layout = self._layouts[number] = Layout(*form, dtype, start, first)
        return layout

    def finish(self) -> None:
        """Writes the index, which makes the store whole."""
        layouts = [asdict(self._layouts[number]) for number in range(len(self._layouts))]
        sums = zlib.crc32((self._folder / _TILES).read_bytes())
        index = {"format": FORMAT, "images": layouts, "sum": _sum(layouts), "tiles": sums}
        (self._folder / _INDEX).write_text(json.dumps(index), encoding="ascii")


@contextlib.contextmanager
def building(folder: Path) -> Iterator[StoreWriter]:
    """Yields a store to fill; it becomes ``folder`` at the end, or nothing does.

    Raises:
        OSError: it cannot be written.
    """
    with whole_folder(folder) as hidden:
        writer = StoreWriter(hidden)
        yield writer
        writer.finish()


@final
class Store:
    """A store that is open for reading, by several threads at once.

    It stays readable if its folder is removed meanwhile.

    Args:
        folder: The folder, for messages.
        layouts: Its images.
        facts: Facts about all tiles.
    """

    def __init__(
        self, folder: Path, layouts: tuple[Layout, ...], facts: npt.NDArray[np.void]
    ) -> None:
        self.folder, self.layouts, self._facts = folder, layouts, facts
        self._file = os.open(folder / _PIXELS, os.O_RDONLY)
        weakref.finalize(self, os.close, self._file)
        self._checked = np.zeros(len(facts), np.bool_)

    @classmethod
    def open(cls, folder: Path) -> "Store | None":
        """Opens a folder; None if it is not there or not whole."""
        try:
            index = json.loads((folder / _INDEX).read_text(encoding="ascii"))
            layouts = tuple(Layout(**each) for each in index["images"])
            content = (folder / _TILES).read_bytes()
            size = (folder / _PIXELS).stat().st_size
            whole = (
                index["format"] == FORMAT
                and index["sum"] == _sum(index["images"])
                and index["tiles"] == zlib.crc32(content)
                and size == sum(each.bytes for each in layouts)
                and len(content)
                == _TILE_FACTS.itemsize * sum(math.prod(each.tiles) for each in layouts)
            )
            return cls(folder, layouts, np.frombuffer(content, _TILE_FACTS)) if whole else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def window(self, image: int, row: int, column: int, height: int, width: int) -> Strip:
        """Reads a window that lies inside the image.

        Returns:
            Bands (height, width, bands) and labels (height, width).

        Raises:
            DataError: the store is damaged, or cannot be read.
        """
        layout = self.layouts[image]
        high, wide = layout.tile
        top, left = row // high, column // wide
        bottom, right = -(-(row + height) // high), -(-(column + width) // wide)
        tiles = self._tiles(image, slice(top, bottom), slice(left, right))
        rows = slice(row - top * high, row - top * high + height)
        columns = slice(column - left * wide, column - left * wide + width)
        return _joined(tiles["bands"])[rows, columns], _joined(tiles["labels"])[rows, columns]

    def shows(self, image: int) -> npt.NDArray[np.bool_]:
        """Whether each tile of an image shows each label, (tiles down, across, 256).

        :data:`~bohb_seg.trials.IGNORE` is set where a tile is not full, too.
        """
        layout = self.layouts[image]
        mine = self._facts["labels"][layout.first :][: math.prod(layout.tiles)]
        return np.unpackbits(mine, axis=1).reshape(*layout.tiles, 256).astype(np.bool_)

    def _tiles(self, image: int, down: slice, across: slice) -> npt.NDArray[np.void]:
        """Reads a rectangle of tiles, one row of tiles at a time."""
        layout = self.layouts[image]
        size = layout.record.itemsize
        count = across.stop - across.start
        content = np.empty((down.stop - down.start, count * size), np.uint8)
        for line, row in zip(content, range(down.start, down.stop), strict=True):
            number = row * layout.tiles[1] + across.start
            self._read(line, layout.start + number * size)
            self._check(line.reshape(count, size), layout.first + number)
        return content.view(layout.record)

    def _read(self, target: Pixels, start: int) -> None:
        try:
            read = os.preadv(self._file, [target.data], start)
        except OSError as error:
            raise DataError(f"{self.folder} cannot be read: {error.strerror}") from None
        if read < len(target):
            raise self._damaged()

    def _check(self, tiles: Pixels, first: int) -> None:
        if self._checked[first : first + len(tiles)].all():
            return
        for number, tile in enumerate(tiles, start=first):
            if not self._checked[number]:
                if zlib.crc32(tile) != self._facts["checksum"][number]:
                    raise self._damaged()
                self._checked[number] = True

    def _damaged(self) -> DataError:
        return DataError(
            f"{self.folder} is damaged; remove the folder and start again, then it is made anew"
        )


def _rows_of_tiles(layout: Layout, strips: Iterable[Strip]) -> Iterator[tuple[Bands, Pixels]]:
    """Bands and labels of one row of tiles after another, tiles first."""
    (high, wide), across = layout.tile, layout.tiles[1]
    filled, rows = 0, 0
    for bands, labels in strips:
        assert bands.shape == (*labels.shape, layout.bands), "bands and labels differ in size"
        assert bands.dtype == layout.dtype, f"{bands.dtype} in an image of {layout.dtype}"
        done = 0
        while done < len(labels):
            if filled == 0:
                wide_bands = np.zeros((high, across * wide, layout.bands), layout.dtype)
                wide_labels = np.full((high, across * wide), IGNORE, np.uint8)
            some = min(high - filled, len(labels) - done)
            wide_bands[filled : filled + some, : layout.width] = bands[done : done + some]
            wide_labels[filled : filled + some, : layout.width] = labels[done : done + some]
            filled, done, rows = (filled + some) % high, done + some, rows + some
            if filled == 0 or rows == layout.height:
                yield (
                    wide_bands.reshape(high, across, wide, -1).swapaxes(0, 1),
                    wide_labels.reshape(high, across, wide).swapaxes(0, 1),
                )
    assert rows == layout.height, f"{rows} rows came of {layout.height}"


def _sum(layouts: object) -> int:
    """Checksum of the layouts: one row more or less may need no other tile."""
    return zlib.crc32(json.dumps(layouts).encode())


def _joined(tiles: Bands) -> Bands:
    """Tiles (down, across, height, width, ...) as one image."""
    down, across, high, wide, *rest = tiles.shape
    return tiles.swapaxes(1, 2).reshape(down * high, across * wide, *rest)


def _present(labels: Pixels) -> Pixels:
    return np.packbits(np.bincount(labels.ravel(), minlength=256) > 0)
