"""The values of a mask with the number of pixels of each, for masks larger than memory.

A mask that is read row by row must still be understood as a whole: that it has soft edges, or that
its three bands are equal everywhere, is not seen in a part. So its values are counted first. The
distinct ones make a mask of a few pixels, in which each pixel counts for many
(:attr:`~bohb_seg.data.mask_reading.containers.RawMask.counts`); that one is decoded as any other,
and its labels are looked up for every pixel.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from bohb_seg.data.mask_reading.containers import RawMask, Values
from bohb_seg.data.mask_reading.meaning import Labels
from bohb_seg.trials import IGNORE

MOST_VALUES = 1 << 23
"""Number of distinct values above which a file is no mask of classes."""
_PENDING = 1 << 20
_PIECE = 1 << 18
_SHORT = 2
"""Bytes of keys that are counted and looked up in a table of all of them."""

Keys = npt.NDArray[Any]
"""Values as unsigned numbers, bit by bit; a colour is 0xRRGGBB, or three words of 16 bits."""
Counts = npt.NDArray[np.int64]


class Histogram:
    """Counts the values of a mask, some rows at a time."""

    def __init__(self) -> None:
        self._like: RawMask | None = None
        self._seen, self._hidden = _Tally(), _Tally()

    def add(self, rows: RawMask) -> None:
        """Counts some rows.

        Raises:
            ValueError: the mask holds too many different values, or bands that are no colours.
        """
        self._like = rows
        keys = _keys(rows.values)
        if rows.hidden is None:
            self._seen.add(keys)
        else:
            self._seen.add(keys[~rows.hidden])
            self._hidden.add(keys[rows.hidden])

    @property
    def is_clear(self) -> bool:
        """Whether every pixel so far is transparent."""
        return not self._seen.whole()[0].size

    def distinct(self) -> tuple[Keys, RawMask]:
        """The keys of the distinct values, and the mask (1, values) that they make.

        The mask goes on with the values of transparent pixels, for which there are no keys. Alpha
        that is zero everywhere says nothing.
        """
        assert self._like is not None, "no row was counted"
        (seen, many), (hidden, few) = self._seen.whole(), self._hidden.whole()
        if not seen.size:
            (seen, many), (hidden, few) = (hidden, few), (seen, many)
        values = _values(np.concatenate([seen, hidden.astype(seen.dtype)]), self._like.values)
        clear = np.arange(len(values)) >= len(seen)
        mask = replace(
            self._like,
            values=values[None],
            hidden=clear[None] if clear.any() else None,
            counts=np.concatenate([many, few])[None],
        )
        return seen, mask


class LookUp:
    """The label of every value of a mask.

    Args:
        keys: The distinct values' keys, sorted.
        labels: The label of each.
        hides: Whether transparent pixels are ignored.
    """

    def __init__(self, keys: Keys, labels: Labels, *, hides: bool = True) -> None:
        self._keys, self._labels, self._hides = keys, labels, hides
        bits = 24 if keys.dtype == np.uint32 and keys.max(initial=0) < 1 << 24 else 0
        bits = 8 * keys.itemsize if keys.itemsize <= _SHORT else bits
        self._table = np.full(1 << bits, IGNORE, np.uint8) if bits else None
        if self._table is not None:
            self._table[keys] = labels

    def labels(self, rows: RawMask) -> Labels:
        """Labels (height, width) of some rows."""
        keys = _keys(rows.values)
        if self._table is not None and keys.dtype == np.uint8:
            found = np.asarray(cv2.LUT(keys, self._table), np.uint8)
        elif self._table is not None:
            parts = [np.take(self._table, part) for part in _pieces(keys.ravel())]
            found = np.concatenate(parts).reshape(keys.shape)
        else:
            values, lengths = _runs(keys.ravel())
            places = np.searchsorted(self._keys, values)
            found = np.repeat(self._labels[places], lengths).reshape(keys.shape)
        if rows.hidden is not None and self._hides:
            found[rows.hidden] = IGNORE
        return found


class _Tally:
    def __init__(self) -> None:
        self._keys: list[Keys] = []
        self._counts: list[Counts] = []
        self._waiting = 0

    def add(self, keys: Keys) -> None:
        flat = keys.ravel()
        if not flat.size:
            return
        if flat.itemsize <= _SHORT:
            size = 1 << 8 * flat.itemsize
            counted = np.zeros(size, np.int64)
            for part in _pieces(flat):
                counted += np.bincount(part, minlength=size)
            values = np.flatnonzero(counted).astype(flat.dtype)
            counts = counted[values]
        else:
            values, counts = _counted(*_runs(flat))
        self._keys.append(values)
        self._counts.append(counts)
        self._waiting += len(values)
        if self._waiting > _PENDING:
            self._waiting = -len(self.whole()[0])

    def whole(self) -> tuple[Keys, Counts]:
        if not self._keys:
            return np.empty(0, np.uint8), np.empty(0, np.int64)
        keys, counts = _counted(np.concatenate(self._keys), np.concatenate(self._counts))
        if len(keys) > MOST_VALUES:
            raise ValueError(f"holds more than {MOST_VALUES} different values, so no classes")
        self._keys, self._counts = [keys], [counts]
        return keys, counts


def _pieces(flat: Keys) -> Iterator[Keys]:
    """Parts that stay in the processor's cache once NumPy has made indices of them."""
    for start in range(0, flat.size, _PIECE):
        yield flat[start : start + _PIECE]


def _counted(keys: Keys, counts: Counts) -> tuple[Keys, Counts]:
    found, places = np.unique(keys, return_inverse=True)
    totals = np.zeros(len(found), np.int64)
    np.add.at(totals, places, counts)
    return found, totals


def _runs(flat: Keys) -> tuple[Keys, Counts]:
    """Values and lengths of the runs of equal ones; masks have long ones."""
    starts = np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1])
    return flat[starts], np.diff(starts, append=flat.size)


def _keys(values: Values) -> Keys:
    if values.ndim == 2:
        return values.view(f"u{values.itemsize}") if values.dtype.kind != "b" else values * 1
    if values.dtype not in (np.uint8, np.uint16):
        raise ValueError(f"has {values.dtype} values; save it as 8-bit colours or indices")
    wide, bits = ("u4", 8) if values.dtype == np.uint8 else ("u8", 16)
    packed: Keys = values[..., 0].astype(wide)
    for band in (1, 2):
        packed <<= np.array(bits, wide)
        packed |= values[..., band]
    return packed


def _values(keys: Keys, like: Values) -> Values:
    """Values (n,) or colours (n, 3) of the type of some others."""
    if like.ndim == 2:
        found: Values = keys.view(like.dtype)
        return found
    bits = 8 * like.itemsize
    bands = [keys >> keys.dtype.type(shift) for shift in (2 * bits, bits, 0)]
    stacked: Values = np.stack(bands, axis=-1).astype(like.dtype)
    return stacked
