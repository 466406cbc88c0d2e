"""One pair of image and mask on its way into the store: strip by strip, checked and counted.

Values stay those of the file, because they can be scaled only when the training part is known
(:mod:`bohb_seg.data.imagery.scaling`). Types with more than 16 bits, and signed ones, become
float32, in which NaN marks pixels without data. Where an image holds no data its label is IGNORE.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import final

import cv2
import numpy as np
import numpy.typing as npt

from bohb_seg.data.collection import Pair
from bohb_seg.data.imagery.alignment import refuse_unaligned
from bohb_seg.data.imagery.damage import Range
from bohb_seg.data.imagery.facts import Facts, Image, Valid, Values
from bohb_seg.data.imagery.reader import chosen_bands, open_image
from bohb_seg.data.label_source import Labels
from bohb_seg.data.labels.mask_file import MaskFile
from bohb_seg.data.masks import MaskCode
from bohb_seg.data.pixels import Pixels, memory_errors
from bohb_seg.data.records import Record
from bohb_seg.data.store.arrays import StoreWriter, Strip, UnwritableError
from bohb_seg.data.store.forecast import STRIP_BYTES
from bohb_seg.errors import DataError
from bohb_seg.trials import IGNORE

WHOLE_BYTES = 1 << 26
"""Bytes of an image up to which it is read at once; larger files are read by strips."""
SAMPLED_PIXELS = 1 << 16
"""Pixels by which the brightness of an image is judged, about."""
_BRIGHT_PERCENTILE = 99
_KEPT_TYPES = ("uint8", "uint16")


@dataclass(frozen=True)
class Reading:
    """The settings by which files become pixels.

    Args:
        code: Meaning of the masks' values.
        downscale: Pixels that become one along each axis.
        bands: The bands that are kept, see :func:`~bohb_seg.data.imagery.reader.chosen_bands`.
        align: Whether masks are warped onto their images.
        class_field: The field of vector files that holds the class.
        alpha_is_data: Whether a band that is tagged as alpha is a channel in any case.
    """

    code: MaskCode
    downscale: int = 1
    bands: str | None = None
    align: bool = False
    class_field: str | None = None
    alpha_is_data: bool = False


def decode_into(writer: StoreWriter, number: int, pair: Pair, reading: Reading) -> Record | str:
    """Decodes one pair into a store; returns a sentence if its files cannot be used.

    Raises:
        UnwritableError: the store cannot be written.
    """
    try:
        with open_image(pair.image, alpha_is_data=reading.alpha_is_data) as image:
            return _decoded(writer, number, pair, image, reading)
    except DataError as error:
        return str(error)
    except UnwritableError:
        raise  # no fault of the files
    except (ValueError, OSError) as error:
        return f"{pair.name} cannot be read: {_reason(error)}"


def _decoded(
    writer: StoreWriter, number: int, pair: Pair, image: Image, reading: Reading
) -> Record | str:
    bands = _bands(image.facts, reading.bands, pair.name)
    source = pair.labels or MaskFile(pair.mask, reading.align)
    try:
        with source.open(image.facts, reading.code) as labels:
            if problem := _misfit(pair.name, image.facts, source.name, labels):
                return problem
            return _written(writer, number, pair, _Opened(image, labels, bands), reading)
    except UnwritableError:
        raise
    except (ValueError, OSError) as error:
        return f"{pair.name}: {source.name} cannot be read: {_reason(error)}"


def _misfit(name: str, image: Facts, mask_name: str, labels: Labels) -> str | None:
    """The sentence about a mask that does not belong to an image pixel by pixel."""
    if labels.facts is not None and labels.facts.transform is not None:
        refuse_unaligned(name, image, labels.facts)
    if labels.size == (image.height, image.width):
        return None
    return (
        f"{name} is {_size((image.height, image.width))} pixels but {mask_name} is"
        f" {_size(labels.size)}; they must be equal"
    )


@dataclass(frozen=True)
class _Opened:
    """An image, its labels, and the bands that are kept."""

    image: Image
    labels: Labels
    bands: tuple[int, ...]


def _written(
    writer: StoreWriter, number: int, pair: Pair, opened: _Opened, reading: Reading
) -> Record:
    facts, bands = opened.image.facts, opened.bands
    original = facts.height, facts.width
    size = max(1, original[0] // reading.downscale), max(1, original[1] // reading.downscale)
    dtype = stored_type(facts)
    tally = _Tally(len(reading.code.classes.names), math.prod(size))
    strips = tally.counting(_strips(opened, reading.downscale, dtype))
    writer.add(number, (*size, len(bands)), dtype, strips)
    found, facts = opened.labels.finding, opened.image.facts  # complete only now
    said = *facts.warnings, *(f"{pair.mask.name} {note}" for note in found.notes)
    return Record(
        name=pair.name,
        group=pair.group,
        size=size,
        original=original,
        pixels=tuple(tally.pixels.tolist()),
        unknown=found.unknown,
        palette=found.palette,
        smeared=found.smeared,
        dtype=dtype,
        bands=tuple(facts.names[band] for band in bands),
        facts=replace(facts, warnings=said),
        values=tally.range(),
    )


def stored_type(facts: Facts) -> str:
    """NumPy's name of the type in which the store holds an image's values."""
    return facts.dtype if facts.dtype in _KEPT_TYPES else "float32"


def _bands(facts: Facts, wanted: str | None, name: str) -> tuple[int, ...]:
    try:
        return chosen_bands(facts, wanted)
    except DataError as error:
        raise DataError(f"{name}: {error}") from None


def _strips(opened: _Opened, factor: int, dtype: str) -> Iterator[Strip]:
    """The rows of an image with their labels, from top to bottom, shrunk."""
    facts = opened.image.facts
    for first, rows in _cuts(facts, len(opened.bands), factor):
        across = facts.width if rows == facts.height else facts.width // factor * factor
        values, valid = opened.image.window(first, 0, rows, across, opened.bands)
        given = opened.labels.rows(first, rows)[:, :across]
        labels = np.where(valid, given, np.uint8(IGNORE))
        yield shrink(_kept(values, valid, dtype), labels, factor)


def _cuts(facts: Facts, bands: int, factor: int) -> Iterator[tuple[int, int]]:
    """First row and number of rows of each strip; all are multiples of ``factor``, or all rows."""
    row_bytes = facts.width * bands * np.dtype(facts.dtype).itemsize
    if facts.height * row_bytes <= WHOLE_BYTES:
        yield 0, facts.height
        return
    rows = max(1, STRIP_BYTES // (row_bytes * factor)) * factor
    for first in range(0, facts.height, rows):
        # Rows at the end that do not fill a pixel are left out.
        if count := min(rows, facts.height - first) // factor * factor:
            yield first, count


def _kept(values: Values, valid: Valid, dtype: str) -> Values:
    """Values in the type that the store holds, with 0 or NaN where there is no data."""
    if valid.all():
        return values.astype(dtype, copy=False)
    missing = np.dtype(dtype).type(np.nan if dtype == "float32" else 0)
    return np.where(valid[..., None], values.astype(dtype, copy=False), missing)


@memory_errors()
def shrink(values: Values, labels: Pixels, factor: int) -> Strip:
    """Shrinks values (by area) and labels (nearest) so that they stay aligned.

    Args:
        values: (height, width, bands).
        labels: (height, width).
        factor: Number of pixels that become one along each axis, at least 1.

    Returns:
        Both at (height // factor, width // factor), at least 1 pixel.
    """
    if factor == 1:
        return values, labels
    size = max(1, labels.shape[1] // factor), max(1, labels.shape[0] // factor)
    # OpenCV averages at most four bands at a time.
    parts = [
        cv2.resize(values[..., first : first + 4], size, interpolation=cv2.INTER_AREA)
        for first in range(0, values.shape[2], 4)
    ]
    small = np.concatenate([part.reshape(size[1], size[0], -1) for part in parts], axis=2)
    # NEAREST_EXACT takes the middle of each block; plain NEAREST takes its corner, which would
    # shift the mask by half a pixel against the averaged image.
    nearest = cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST_EXACT)
    if small.dtype == np.float32:  # next to a pixel without data there is no average
        nearest = np.where(np.isnan(small).any(axis=2), np.uint8(IGNORE), nearest)
    return small, np.asarray(nearest, np.uint8)


@final
@dataclass
class _Tally:
    """Counts strips on their way.

    Args:
        classes: Number of classes.
        total: Pixels of the image.

    Attributes:
        pixels: Pixels of each class, then of ignored ones.
    """

    classes: int
    total: int
    pixels: npt.NDArray[np.int64] = field(init=False)
    _extremes: list[Values] = field(init=False, default_factory=list)
    _sample: list[Values] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self.pixels = np.zeros(self.classes + 1, np.int64)

    def counting(self, strips: Iterator[Strip]) -> Iterator[Strip]:
        """The strips, as they are."""
        step = max(1, round(math.sqrt(self.total / SAMPLED_PIXELS)))
        for values, labels in strips:
            counts = np.bincount(labels.ravel(), minlength=IGNORE + 1)
            self.pixels += [*counts[: self.classes], counts[IGNORE]]
            self._look(values, step)
            yield values, labels

    def range(self) -> Range | None:
        """The range of all values."""
        if not self._extremes:
            return None
        sample = np.concatenate(self._sample)
        bright = np.percentile(sample, _BRIGHT_PERCENTILE, axis=0) if len(sample) else None
        lowest, highest = np.min(self._extremes, axis=0)[0], np.max(self._extremes, axis=0)[1]
        found = lowest, highest if bright is None else bright, highest
        return Range(*(tuple(map(float, each)) for each in found))

    def _look(self, values: Values, step: int) -> None:
        """Looks at pixels with data; 0 in types that have no NaN may be data or none."""
        pixels = values.reshape(-1, values.shape[2])
        sample = values[::step, ::step].reshape(-1, values.shape[2])
        if values.dtype == np.float32:
            pixels = pixels[np.isfinite(pixels).all(axis=1)]
            sample = sample[np.isfinite(sample).all(axis=1)]
        if len(pixels):
            self._extremes.append(np.stack([pixels.min(axis=0), pixels.max(axis=0)]))
            self._sample.append(sample)


def _reason(error: Exception) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else f"the file {error}"


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]}"
