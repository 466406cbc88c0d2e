"""Batches of what needs no gradient; smaller ones where the device's memory runs out."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple, TypeVar

import keras
import numpy as np
from numpy.typing import NDArray

from bohb_seg.data.patch_sets import PatchSet
from bohb_seg.data.pixels import Pixels
from bohb_seg.training import devices

PREDICTED_PIXELS = 2**18
"""Pixels per batch of prediction, or more: on a CPU larger ones are not faster, and take memory."""

_Result = TypeVar("_Result")


def in_fitting_batches(
    count: int, size: int, work: Callable[[slice, int], _Result]
) -> Iterator[tuple[slice, _Result]]:
    """Works through rows in order; a batch that does not fit is tried again with half as many.

    Args:
        count: Number of rows.
        size: Rows of the first batch.
        work: Takes the rows, and the present size, to which the last batch may be filled up.

    Yields:
        The rows, and what ``work`` made of them.

    Raises:
        Exception: what ``work`` raises; an exhausted memory only if one row is too much.
    """
    start = 0
    while start < count:
        rows = slice(start, min(start + size, count))
        try:
            result = work(rows, size)
        except Exception as error:
            if size == 1 or not devices.is_out_of_memory(error):
                raise
        else:
            yield rows, result
            start = rows.stop
            continue
        size //= 2


class Predicted(NamedTuple):
    """Predictions for k patches.

    Args:
        labels: Their classes or IGNORE, uint8, (k, p, p).
        scores: Class probabilities, (k, p, p, C).
    """

    labels: Pixels
    scores: NDArray[np.float32]


def probabilities(model: keras.Model, part: PatchSet) -> Iterator[tuple[slice, Predicted]]:
    """Predicts class probabilities batch by batch.

    Args:
        model: Takes images as they are.
        part: At least one patch.

    Yields:
        Numbers of patches, and what is predicted for them.
    """
    count, edge, _, _ = part.shape
    size = max(1, min(count, PREDICTED_PIXELS // edge**2))
    yield from in_fitting_batches(count, size, partial(_predict, model, part))


def _predict(model: keras.Model, part: PatchSet, rows: slice, size: int) -> Predicted:
    images, labels = part.read(np.arange(rows.start, rows.stop))
    # Filled up to the one size that is traced.
    padding = [(0, size - len(images)), (0, 0), (0, 0), (0, 0)]
    scores = np.asarray(model.predict_on_batch(np.pad(images, padding)), np.float32)
    return Predicted(labels, scores[: len(images)])
