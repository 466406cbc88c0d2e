"""Memory, disk and time that preparing a data set takes, told before it begins.

Sizes come from the files' headers, the speed from decoding a few of them. Disk is exact. Memory is
that of pixels; the process itself, its model and its framework come on top.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from bohb_seg.data.store.arrays import TILE, Layout
from bohb_seg.data.store.batches import AHEAD

HELD_BYTES = 256 * 1024 * 1024
"""Bytes of all patches up to which every process that trains holds them in memory."""
STRIP_BYTES = 1 << 25
"""Bytes of an image that are decoded at a time, about, where a file can be read by window."""
SAMPLE_SECONDS = 1.0
"""Time for decoding samples; a command that only forecasts should answer at once."""

_MASK_BYTES = 3 + 1
"""Bytes a pixel that decoding a mask takes: colours, then labels."""
_COPIES = 2
"""An image lies in memory as it was decoded, and once more while it is converted."""
_STRIP_COPIES = 5
"""So it is with a strip, which is also put together from tiles, ordered and cut into tiles."""
_FACTS_BYTES = 36
"""Bytes that a process keeps of each tile."""
_MB = 1_000_000


@dataclass(frozen=True)
class Header:
    """Facts about an image that is to be decoded.

    Args:
        height: In pixels, after downscaling.
        width: In pixels, after downscaling.
        bands: Number of bands that are kept.
        dtype: "uint8", "uint16" or "float32".
        by_window: Whether its file can be read by window, else it is decoded whole.
        downscale: Edge of the square of pixels that become one.
    """

    height: int
    width: int
    bands: int
    dtype: str = "uint8"
    by_window: bool = False
    downscale: int = 1

    @property
    def pixels(self) -> int:
        """Pixels in its file."""
        return self.height * self.width * self.downscale**2

    @property
    def layout(self) -> Layout:
        """Its form in a store."""
        return Layout(self.height, self.width, self.bands, self.dtype, 0, 0)

    @property
    def value_bytes(self) -> int:
        """Bytes of a pixel's bands."""
        return self.bands * np.dtype(self.dtype).itemsize


@dataclass(frozen=True)
class Forecast:
    """Cost of preparing a data set.

    Args:
        disk: Bytes of the store.
        preparing: Bytes of memory while files are decoded.
        training: Bytes of memory in each process that trains.
        seconds: Time for decoding; None if nothing was sampled.
    """

    disk: int
    preparing: int
    training: int
    seconds: float | None

    def judged(self, folder: str, free_disk: int, memory: int) -> Iterator[tuple[str, bool]]:
        """One sentence each about disk, memory and time, for people, and whether there is enough.

        Args:
            folder: Place of the store, as ``--cache-dir`` names it.
            free_disk: Bytes that are free there.
            memory: Bytes that the process may take.
        """
        enough = self.disk <= free_disk
        short = "" if enough else "; make room or choose another --cache-dir"
        yield (
            f"decoded, the data takes {_size(self.disk)} below {folder},"
            f" where {_size(free_disk)} is free{short}",
            enough,
        )
        enough = max(self.preparing, self.training) <= memory
        short = "" if enough else "; that is not enough, use a machine with more or --downscale"
        yield (
            f"preparing takes {_size(self.preparing)} of memory and training"
            f" {_size(self.training)} for its patches, of {_size(memory)}{short}",
            enough,
        )
        if self.seconds is not None:
            yield f"decoding takes about {duration(self.seconds)}, once", True


def forecast(
    headers: Sequence[Header],
    *,
    threads: int,
    batch: tuple[int, int],
    rate: float | None = None,
    block_cache: int = 0,
) -> Forecast:
    """Forecasts from headers.

    Args:
        headers: All images.
        threads: Files that are decoded at once.
        batch: Patches of a batch, and the edge of a patch in pixels.
        rate: Pixels that one thread decodes in a second; None if unknown.
        block_cache: Bytes of files read by window that their decoder keeps at most.
    """
    decoding = sorted(map(_decoding_bytes, headers), reverse=True)
    tiles = sum(each.layout.tiles[0] * each.layout.tiles[1] for each in headers)
    patches, edge = batch
    value = max((each.value_bytes for each in headers), default=0) + 1
    pixels = sum(each.pixels for each in headers)
    busy = max(1, min(threads, len(headers)))
    # One batch is computed, one is being read, and the others wait.
    ahead = (AHEAD + 2) * patches * edge**2 * value
    windowed = sum(each.pixels * each.value_bytes for each in headers if each.by_window)
    held = sum(each.height * each.width * (each.value_bytes + 1) for each in headers)
    return Forecast(
        disk=sum(each.layout.bytes for each in headers) + tiles * _FACTS_BYTES,
        preparing=sum(decoding[:threads]) + min(block_cache, windowed) + tiles * _FACTS_BYTES,
        training=(held if held <= HELD_BYTES else ahead) + tiles * _FACTS_BYTES,
        seconds=None if rate is None else pixels / rate / busy,
    )


def sampled_rate(
    pixels: Sequence[int],
    decode: Callable[[int], object],
    clock: Callable[[], float] = time.perf_counter,
) -> float | None:
    """Decodes a few files; returns pixels in a second, or None if there is no file.

    Args:
        pixels: Pixels of each file.
        decode: Decodes a file by its number.
        clock: Tells the time in seconds.

    Raises:
        Exception: what ``decode`` raises.
    """
    started, done = clock(), 0
    # Files lie side by side that are alike, so the samples are spread.
    for number in _spread(len(pixels)):
        decode(number)
        done += pixels[number]
        if clock() - started >= SAMPLE_SECONDS:
            break
    return done / max(clock() - started, 1e-9) if done else None


def _decoding_bytes(header: Header) -> int:
    width = header.width * header.downscale
    tile_row = TILE * header.width * (header.value_bytes + 1) * _COPIES
    if header.by_window:
        return min(STRIP_BYTES, header.pixels * header.value_bytes) * _STRIP_COPIES + tile_row
    rows = header.height * header.downscale
    return rows * width * (header.value_bytes * _COPIES + _MASK_BYTES) + tile_row


def _spread(count: int) -> Iterator[int]:
    """Numbers below ``count``, each once: the middle, then the middles of both halves, and on."""
    waiting = [(0, count)]
    for start, stop in waiting:
        if start < stop:
            middle = (start + stop) // 2
            yield middle
            waiting += [(start, middle), (middle + 1, stop)]


def _size(count: int) -> str:
    return f"{count / _MB:.0f} MB" if count < 10_000 * _MB else f"{count / _MB / 1000:.0f} GB"


def duration(seconds: float) -> str:
    """A span of time for people."""
    return f"{max(1, round(seconds))} s" if seconds < 120 else f"{round(seconds / 60)} min"
