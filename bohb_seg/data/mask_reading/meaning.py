"""The labels that the values of a mask stand for, by the class table.

Rules, each with the file as a whole in view:

* One band, and palette indices: a value is an index if the table has indices, else a colour.
* Three equal bands are one band if the table then names more of the pixels.
* A table of the indices 0 and 1 and a file of 0 and 255 mean the same, and the other way round.
* Negative and undefined numbers are ignored, and so is a value that the file declares to be no
  data (GDAL_NODATA, a transparent palette entry, a colour key), unless the table names it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from bohb_seg.data.mask_reading.containers import RawMask, Values
from bohb_seg.data.masks import UNKNOWN, MaskCode
from bohb_seg.trials import IGNORE

Labels = npt.NDArray[np.uint8]

_EXTREMES_SHARE = 0.8
"""Share of pixels of 0 and 255 from which a file of two classes has soft edges, not many values."""
_BLACK_AND_WHITE = frozenset({0, 255})


@dataclass(frozen=True)
class Meaning:
    """Values of a mask, and what each stands for.

    Args:
        values: Whole numbers of at least 0, (height, width).
        labels: The label of each value from 0 on; larger values are of no class.
        name: How a value is shown in messages.
        point: A value as red, green, blue 0xRRGGBB, in which distances are measured.
        known: Points of the classes, and the label of each.
        is_soft: Whether values may be smeared although the container keeps them; None: count them.
        nodata: Values that are ignored unless a class has them.
        hidden: Pixels without data, (height, width); None if there are none.
    """

    values: Values
    labels: Labels
    name: Callable[[int], str]
    point: Callable[[int], int]
    known: tuple[tuple[int, int], ...] = ()
    is_soft: bool | None = None
    nodata: frozenset[float] = frozenset()
    hidden: npt.NDArray[np.bool_] | None = None

    def looked_up(self) -> Labels:
        """Labels (height, width), UNKNOWN where the value is of no class."""
        last = len(self.labels) - 1
        found = np.take(self.labels, self.values, mode="clip")
        if self.values.dtype.itemsize > 2:
            found[self.values > last] = UNKNOWN
        if self.hidden is not None:
            found[self.hidden] = IGNORE
        return found


def meaning_of(raw: RawMask, code: MaskCode) -> Meaning:
    """Finds out what the values of a mask stand for.

    Raises:
        ValueError: its values can be neither indices nor colours; the message says which.
    """
    if raw.palette is not None and not code.by_index:
        return _by_palette(raw, raw.palette, code)
    band = _one_band(raw.values)
    if band is None or not code.by_index:
        return _by_colour(raw, code)
    by_index = _by_index(raw, band, code)
    if raw.values.ndim == 2 or raw.values.dtype != np.uint8:
        return by_index
    by_colour = _by_colour(raw, code)
    return max(by_colour, by_index, key=lambda each: raw.pixels(each.looked_up() != UNKNOWN))


def numbers_of(raw: RawMask) -> npt.NDArray[np.int64] | None:
    """The numbers that a mask holds, -1 where it holds no data; None if it holds colours.

    Raises:
        ValueError: its numbers are not whole.
    """
    if (band := _one_band(raw.values)) is None:
        return None
    values, hidden = _whole(band)
    numbers = values.astype(np.int64)
    numbers[np.isin(numbers, raw.nodata)] = -1
    for mask in (hidden, raw.hidden):
        if mask is not None:
            numbers[mask] = -1
    return numbers


def _one_band(values: Values) -> Values | None:
    if values.ndim == 2:
        return values
    first = values[..., 0]
    equal = all(np.array_equal(first, values[..., band]) for band in (1, 2))
    return np.ascontiguousarray(first) if equal else None


def _by_index(raw: RawMask, band: Values, code: MaskCode) -> Meaning:
    values, hidden = _whole(band)
    pairs, is_soft = _two_valued(dict(code.by_index), values, raw)
    labels = np.full(1 << 16, UNKNOWN, np.uint8)
    for value, label in pairs.items():
        labels[value] = label
    return Meaning(
        values=values,
        labels=labels,
        name="index {}".format,
        point=lambda value: min(value, 255) << 16,
        known=tuple((value << 16, label) for value, label in pairs.items() if value <= 255),
        is_soft=is_soft,
        nodata=frozenset(raw.nodata),
        hidden=_either(hidden, raw.hidden),
    )


def _whole(band: Values) -> tuple[Values, npt.NDArray[np.bool_] | None]:
    """Numbers of any type as whole numbers of at least 0, and where they are not."""
    if band.dtype in (np.uint8, np.uint16):
        return band, None
    hidden = ~np.isfinite(band) | (band < 0)
    values = np.where(hidden, 0, np.minimum(band, 1 << 30)).astype(np.int32)
    fractions = ~hidden & (values != np.minimum(band, 1 << 30))
    if fractions.any():
        raise ValueError(
            f"has values that are no whole numbers, such as {band[fractions][0]:g};"
            " save it as 8-bit or 16-bit indices"
        )
    return values, hidden


def _two_valued(
    indices: dict[int, int], values: Values, raw: RawMask
) -> tuple[dict[int, int], bool]:
    """The indices as the file writes two classes, and whether its values may be smeared."""
    if set(indices) == _BLACK_AND_WHITE and values.max(initial=0) <= 1:
        return {0: indices[0], 1: indices[255]}, False
    if set(indices) not in ({0, 1}, _BLACK_AND_WHITE) or values.max(initial=0) <= 1:
        return indices, False
    extremes = raw.pixels(np.isin(values, (0, 255))) / raw.pixels()
    is_soft = bool(_EXTREMES_SHARE <= extremes < 1) and bool(values.max() <= 255)
    if extremes == 1 or is_soft or raw.lossy:
        return {0: indices[0], 255: indices[max(indices)]}, is_soft
    return indices, False


def _by_colour(raw: RawMask, code: MaskCode) -> Meaning:
    values = _bytes(raw)
    if values.ndim == 2:
        values = cv2.cvtColor(values, cv2.COLOR_GRAY2RGB)
    # Blue, green, red, alpha are the bytes of 0x00RRGGBB.
    packed = cv2.cvtColor(np.ascontiguousarray(values), cv2.COLOR_RGB2BGRA).view("<u4")[..., 0]
    packed &= 0xFFFFFF
    is_grey = bool(raw.nodata) and _one_band(raw.values) is not None
    return Meaning(
        values=packed,
        labels=code.colour_table,
        name="#{:06X}".format,
        point=int,
        known=code.by_colour,
        nodata=frozenset(
            number * 0x010101 if is_grey and 0 <= number <= 255 else number for number in raw.nodata
        ),
        hidden=_either(_outside(raw.values), raw.hidden),
    )


def _bytes(raw: RawMask) -> Values:
    """Colours as 8-bit; one band may have any type, if its numbers fit."""
    values, scale = raw.values, 255 // (2**raw.bits - 1) if raw.bits < 8 else 1
    if values.dtype == np.uint8:
        return values * np.uint8(scale)
    if values.ndim == 2:
        values, _ = _whole(values)
    if values.ndim == 3 or values.max(initial=0) > 255:
        raise ValueError(f"has {raw.values.dtype} values; save it as 8-bit colours or indices")
    return values.astype(np.uint8)


def _outside(values: Values) -> npt.NDArray[np.bool_] | None:
    return _whole(values)[1] if values.ndim == 2 else None


def _by_palette(raw: RawMask, palette: tuple[int, ...], code: MaskCode) -> Meaning:
    labels = np.full(256, UNKNOWN, np.uint8)
    labels[: len(palette)] = code.colour_table[list(palette[:256])]
    return Meaning(
        values=raw.values,
        labels=labels,
        name=lambda value: f"#{palette[value]:06X}" if value < len(palette) else f"index {value}",
        point=lambda value: palette[value] if value < len(palette) else -1,
        known=code.by_colour,
        nodata=frozenset(raw.nodata),
        hidden=raw.hidden,
    )


def _either(
    first: npt.NDArray[np.bool_] | None, second: npt.NDArray[np.bool_] | None
) -> npt.NDArray[np.bool_] | None:
    if first is None or second is None:
        return second if first is None else first
    return first | second
