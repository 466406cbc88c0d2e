"""Pairs of image and labels, made small while they are read; a large one is never held whole.

Where the data are prepared, pixels come from the store, which is what a network sees. Else they
come from the files, as far as these can be decoded.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from bohb_seg.data.collection import Pair
from bohb_seg.data.decoding import Reading, shrink, stored_type
from bohb_seg.data.imagery.facts import Facts, Image
from bohb_seg.data.imagery.reader import chosen_bands, open_image
from bohb_seg.data.imagery.scaling import Scaling, Survey
from bohb_seg.data.label_source import Finding, Labels
from bohb_seg.data.labels.mask_file import MaskFile
from bohb_seg.data.labels.source import WholeLabels
from bohb_seg.data.patch_sets import scaled, shown_bands
from bohb_seg.data.pixels import Pixels
from bohb_seg.data.store.arrays import Bands, Store, Strip
from bohb_seg.errors import DataError
from bohb_seg.trials import IGNORE

STRIP_PIXELS = 1 << 23
"""Pixels that are read at a time, about."""
_NOTHING = np.uint8(IGNORE)


class Box(NamedTuple):
    """A rectangle in an image, in pixels."""

    top: int
    left: int
    height: int
    width: int


@dataclass(frozen=True)
class Sight:
    """A small picture of a pair.

    Args:
        values: (height, width, bands), uint8, uint16 or float32.
        labels: (height, width).
        names: The bands' names, "" for one without.
    """

    values: Bands
    labels: Pixels
    names: Sequence[str]

    def rgb(self, scaling: Scaling) -> Pixels:
        """The picture in colours, after scaling, (height, width, 3)."""
        bands = list(shown_bands(self.names))
        return np.ascontiguousarray(scaled(self.values, scaling)[..., bands])


def stored_sight(store: Store, number: int, box: Box, names: Sequence[str], edge: int) -> Sight:
    """A part of an image of a store.

    Args:
        store: Holds the image.
        number: Its number.
        box: The part.
        names: Names of its bands.
        edge: Longest edge of the result in pixels, about.

    Raises:
        DataError: the store is damaged, or cannot be read.
    """

    def read(row: int, rows: int) -> Strip:
        return store.window(number, box.top + row, box.left, rows, box.width)

    return Sight(*_small(read, box.height, box.width, edge), names)


def file_sight(pair: Pair, reading: Reading, edge: int) -> tuple[Sight | None, str | None]:
    """A pair of files, of which nothing is known yet.

    Returns:
        The picture, with ignored labels if the mask cannot be decoded, or None if the image cannot;
        and the fault, or None.
    """
    try:
        with contextlib.ExitStack() as opened:
            image = opened.enter_context(
                open_image(pair.image, alpha_is_data=reading.alpha_is_data)
            )
            labels, fault = _labels(opened, pair, reading, image.facts)
            return _decoded(image, labels, reading, edge), fault
    except (ValueError, OSError, DataError) as error:
        return None, f"cannot be shown: {_reason(error)}"


def _decoded(image: Image, labels: Labels, reading: Reading, edge: int) -> Sight:
    facts = image.facts
    bands = chosen_bands(facts, reading.bands)
    dtype = stored_type(facts)

    def read(row: int, rows: int) -> Strip:
        values, valid = image.window(row, 0, rows, facts.width, bands)
        return values.astype(dtype, copy=False), np.where(valid, _rows(labels, row, rows), _NOTHING)

    def _rows(labels: Labels, row: int, rows: int) -> Pixels:
        if labels.size == (facts.height, facts.width):
            return labels.rows(row, rows)
        # Beside each other, the two show how they differ.
        height, width = labels.size
        first, last = row * height // facts.height, (row + rows - 1) * height // facts.height
        those = labels.rows(first, last - first + 1)
        there = np.arange(row, row + rows) * height // facts.height - first
        fitted: Pixels = those[there][:, np.arange(facts.width) * width // facts.width]
        return fitted

    small = _small(read, facts.height, facts.width, edge)
    return Sight(*small, [facts.names[band] for band in bands])


def _labels(
    opened: contextlib.ExitStack, pair: Pair, reading: Reading, facts: Facts
) -> tuple[Labels, str | None]:
    """The labels of a pair and their fault, or None; ignored ones if they cannot be decoded."""
    source = pair.labels or MaskFile(pair.mask, reading.align)
    try:
        labels = opened.enter_context(source.open(facts, reading.code))
    except (ValueError, OSError, DataError) as error:
        nothing = np.broadcast_to(_NOTHING, (facts.height, facts.width))
        return WholeLabels(nothing, Finding({})), f"{source.name} cannot be shown: {_reason(error)}"
    height, width = labels.size
    if (height, width) == (facts.height, facts.width):
        return labels, None
    return labels, f"{source.name} has another size ({width}x{height})"


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return f"the file {error}" if isinstance(error, ValueError) else str(error)


def scaling_of(sights: Sequence[Sight]) -> Callable[[Sight], Scaling]:
    """A scale for pictures of data that have none yet, from these alone, for each form."""
    surveys: dict[tuple[str, int], Survey] = {}
    for number, sight in enumerate(sights):
        form = sight.values.dtype.name, sight.values.shape[2]
        survey = surveys.setdefault(form, Survey(*form))
        survey.add(sight.values, np.isfinite(sight.values).all(axis=2), str(number))
    scales = {form: _scaling(survey) for form, survey in surveys.items()}
    return lambda sight: scales[sight.values.dtype.name, sight.values.shape[2]]


def _scaling(survey: Survey) -> Scaling:
    try:
        return survey.scaling()
    except DataError:  # no pixel holds data: any scale shows as much
        return Scaling(survey.dtype, (0.0,) * survey.bands, (1.0,) * survey.bands)


def _small(read: Callable[[int, int], Strip], height: int, width: int, edge: int) -> Strip:
    """Reads rows from top to bottom, and shrinks them at once."""
    factor = min(max(1, round(max(height, width) / edge)), height, width)
    strips = list(_strips(read, height, width, factor))
    values = np.concatenate([values for values, _ in strips])
    return values, np.concatenate([labels for _, labels in strips])


def _strips(
    read: Callable[[int, int], Strip], height: int, width: int, factor: int
) -> Iterator[Strip]:
    rows = max(1, STRIP_PIXELS // (width * factor)) * factor
    for first in range(0, height, rows):
        # Rows at the end that do not fill a pixel are left out.
        if count := min(rows, height - first) // factor * factor:
            values, labels = read(first, count)
            across = width // factor * factor
            yield shrink(values[:, :across], labels[:, :across], factor)
