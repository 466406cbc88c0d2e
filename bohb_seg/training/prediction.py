"""Batches of what needs no gradient, smaller ones where the device's memory runs out."""

from collections.abc import Callable, Iterator
from typing import TypeVar

import keras
import numpy as np
from numpy.typing import NDArray

from bohb_seg.training import devices

_Done = TypeVar("_Done")


def sparing(
    count: int, size: int, work: Callable[[slice, int], _Done]
) -> Iterator[tuple[slice, _Done]]:
    """Works through rows in order; a batch that does not fit is tried again with half as many.

    Args:
        count: Of rows.
        size: Rows of the first batch.
        work: Takes the rows, and the present size, to which the last batch may be filled up.

    Yields:
        The rows, and what came of them.

    Raises:
        Exception: what ``work`` raises, an exhausted memory only if one row is too much.
    """
    start = 0
    while start < count:
        rows = slice(start, min(start + size, count))
        try:
            done = work(rows, size)
        except Exception as error:
            if size == 1 or not devices.is_out_of_memory(error):
                raise
        else:
            yield rows, done
            start = rows.stop
            continue
        size //= 2


PREDICTED_PIXELS = 2**18
"""Pixels per batch of prediction, or more: on a CPU larger ones are not faster, and take memory."""


def probabilities(
    model: keras.Model, images: NDArray[np.uint8]
) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Class probabilities (k, p, p, C) batch by batch, each with the patches it is of.

    Args:
        model: Takes images as they are.
        images: (n, p, p, 3) RGB.
    """

    def predict(rows: slice, size: int) -> NDArray[np.float32]:
        chunk = images[rows]
        # Filled up to the one size that is traced.
        padding = [(0, size - len(chunk)), (0, 0), (0, 0), (0, 0)]
        scores = np.asarray(model.predict_on_batch(np.pad(chunk, padding)), np.float32)
        return scores[: len(chunk)]

    size = max(1, min(len(images), PREDICTED_PIXELS // images[0, :, :, 0].size))
    yield from sparing(len(images), size, predict)
