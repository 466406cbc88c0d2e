"""From a file's values to what a network sees: one scale per band for the whole data set.

The 0.5th and the 99.5th percentile of each band over the *training part* become 0 and the largest
value; what lies beyond is clipped. These are nnU-Net's bounds for values with a unit (CT), which
calibrated imagery also has. The 2nd and 98th, with which maps are drawn for people, would clip one
pixel in 25: roofs, snow and water, which are classes. The scale is never taken from one image: the
same roof would then have another value in each. 8-bit values are pictures already and stay.

Integers of 8 and 16 bits are counted exactly. Of all other types a sample is kept: the pixels
with the lowest random keys, which follow from the name of the window alone. So the order of the
windows, and how they were dealt to processes, change nothing.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from bohb_seg.data.imagery.facts import Valid, Values
from bohb_seg.errors import DataError

LOW, HIGH = 0.5, 99.5
"""Percentiles that become the smallest and the largest value that a network sees."""

SAMPLE = 1 << 17
"""Pixels that stand for all others of a type that is not counted; ranks are right to 0.1 %."""

_COUNTED = ("uint8", "int8", "uint16", "int16")


@dataclass(frozen=True)
class Scaling:
    """One line per band; ``low`` becomes 0 and ``high`` the largest value.

    Args:
        dtype: The type of the files' values, by NumPy's name.
        low: For each band, the value that becomes 0; empty if values stay as they are.
        high: For each band, the value that becomes the largest; larger than ``low``.
    """

    dtype: str
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if len(self.low) != len(self.high) or any(
            not (np.isfinite(low) and np.isfinite(high) and low < high)
            for low, high in zip(self.low, self.high, strict=True)
        ):
            raise ValueError("each band needs two finite bounds, the first below the second")

    @property
    def keeps(self) -> bool:
        """Whether values stay as they are."""
        return not self.low

    def apply(self, values: Values, valid: Valid, to: npt.DTypeLike = np.uint8) -> Values:
        """Scales an image or a part of one.

        Args:
            values: In ``dtype``, (height, width, bands).
            valid: Pixels with data, (height, width); all others become 0.
            to: uint8 or uint16, the type of the result.

        Raises:
            ValueError: the values are of another type, or of another number of bands.
        """
        if values.dtype.name != self.dtype or len(self.low) not in (0, values.shape[2]):
            raise ValueError(
                f"has {values.shape[2]} bands of {values.dtype}, but the scale was taken from"
                f" {len(self.low) or 'any number of'} bands of {self.dtype}"
            )
        if self.keeps:
            return np.where(valid[..., None], values, values.dtype.type(0))
        most = np.iinfo(to).max
        low, high = np.array(self.low), np.array(self.high)
        scaled = (np.where(valid[..., None], values, low) - low) * (most / (high - low))
        result: Values = np.rint(np.clip(scaled, 0, most)).astype(to)
        return result

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON; ``from_json`` gives back an equal scale, to the bit."""
        return {"dtype": self.dtype, "low": list(self.low), "high": list(self.high)}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Self:
        """Builds a scale from what ``to_json`` gave.

        Raises:
            ValueError: it is none.
        """
        try:
            low, high = (tuple(map(float, plain[name])) for name in ("low", "high"))
            return cls(str(np.dtype(plain["dtype"]).name), low, high)
        except (KeyError, TypeError) as error:
            raise ValueError(f"is no scale of values ({error})") from None


class Survey:
    """The distribution of each band's values, gathered window by window.

    Args:
        dtype: The type of all values, by NumPy's name.
        bands: Number of bands.
    """

    def __init__(self, dtype: str, bands: int) -> None:
        self.dtype = dtype
        self.bands = bands
        self._least = np.iinfo(dtype).min if dtype in _COUNTED else 0
        size = 1 << (8 * np.dtype(dtype).itemsize) if dtype in _COUNTED else 0
        self._counts = np.zeros((bands, size), np.int64)
        self._keys = np.zeros(0, np.float64)
        self._sample = np.zeros((0, bands), dtype)

    def add(self, values: Values, valid: Valid, name: str) -> None:
        """Adds a window.

        Args:
            values: (height, width, bands).
            valid: Pixels with data, (height, width).
            name: The image and the window's place, different for each window.

        Raises:
            DataError: its values are of another type or number of bands than the others'.
        """
        if values.dtype.name != self.dtype or values.shape[2] != self.bands:
            raise DataError(
                f"{name} has {values.shape[2]} bands of {values.dtype.name}, but other images have"
                f" {self.bands} of {self.dtype}; choose --bands that all have, and store all images"
                " in one type"
            )
        pixels = values[valid]
        if self.dtype in _COUNTED:
            for counts, band in zip(self._counts, pixels.T, strict=True):
                counts += np.bincount(band.astype(np.int64) - self._least, minlength=counts.size)
        else:
            seed = hashlib.blake2b(name.encode("utf-8", "surrogateescape"), digest_size=8).digest()
            keys = np.random.default_rng(int.from_bytes(seed)).random(len(pixels))
            self._keep(keys, pixels)

    def merge(self, other: Self) -> None:
        """Adds all that another survey of the same type and bands has gathered."""
        if (self.dtype, self.bands) != (other.dtype, other.bands):
            raise ValueError("surveys of different types or numbers of bands cannot be merged")
        self._counts += other._counts
        self._keep(other._keys, other._sample)

    def scaling(self) -> Scaling:
        """The scale that follows from all that was added.

        Raises:
            DataError: no pixel holds data.
        """
        if self.dtype == "uint8":
            return Scaling(self.dtype)
        bounds = [self._bounds(band) for band in range(self.bands)]
        return Scaling(self.dtype, *(tuple(column) for column in zip(*bounds, strict=True)))

    def _bounds(self, band: int) -> tuple[float, float]:
        low, high = (self._percentile(band, share) for share in (LOW, HIGH))
        return low, high if high > low else float(np.nextafter(low + 1, np.inf))

    def _percentile(self, band: int, share: float) -> float:
        """The smallest value with at least ``share`` per cent of all pixels at or below it."""
        if self.dtype in _COUNTED:
            sums = np.cumsum(self._counts[band])
            if not sums[-1]:
                raise _without_data()
            rank = max(1, int(np.ceil(sums[-1] * share / 100)))
            return float(np.searchsorted(sums, rank) + self._least)
        if not self._keys.size:
            raise _without_data()
        return float(np.percentile(self._sample[:, band], share, method="inverted_cdf"))

    def _keep(self, keys: npt.NDArray[np.float64], pixels: Values) -> None:
        keys = np.concatenate([self._keys, keys])
        pixels = np.concatenate([self._sample, pixels])
        if keys.size > SAMPLE:
            kept = np.argpartition(keys, SAMPLE)[:SAMPLE]
            keys, pixels = keys[kept], pixels[kept]
        self._keys, self._sample = keys, pixels


def _without_data() -> DataError:
    return DataError(
        "the training images hold no pixel with data; check their nodata value, alpha and masks"
    )
