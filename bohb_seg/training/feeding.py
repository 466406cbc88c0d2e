"""How patches reach Keras: from memory at once, or batch by batch while the device computes."""

import contextlib
import itertools
import math
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any

import keras
from numpy.typing import NDArray

from bohb_seg.data.store.batches import ahead

Arrays = tuple[NDArray[Any], ...]
"""Arrays of equally many rows."""
Rows = Callable[[slice], Arrays]
"""Makes the arrays of some rows."""


@dataclass(frozen=True)
class Feed:
    """Arguments of ``fit`` and ``predict``.

    Args:
        x: Arrays of all rows, or their batches in order.
        batch_size: Rows of a batch; None where ``x`` is made of batches.
        steps: Number of batches; None where ``x`` is made of arrays.
    """

    x: Any
    batch_size: int | None = None
    steps: int | None = None


@contextlib.contextmanager
def feed(rows: Rows, count: int, size: int, *, at_once: bool, even: bool) -> Iterator[Feed]:
    """Feeds rows in their order.

    Args:
        rows: Makes the arrays of some rows; a thread of its own calls it, unless ``at_once``.
        count: Number of rows.
        size: Rows of a batch.
        at_once: Whether the rows lie in memory anyway.
        even: Whether all batches have the same size, so that the compiled step may rely on it.

    Raises:
        DataError: the store is damaged, or cannot be read; whatever Keras makes of that.
    """
    if at_once:
        yield Feed(rows(slice(count)), batch_size=size)
        return
    failed: list[Exception] = []
    starts = range(0, count, size)
    batches = ahead(rows(slice(start, min(start + size, count))) for start in starts)
    with contextlib.closing(batches):
        try:
            yield Feed(_batches(_noting(batches, failed), even), steps=math.ceil(count / size))
        except Exception:
            if failed:
                raise failed[0] from None
            raise


def _noting(batches: Generator[Arrays], failed: list[Exception]) -> Iterator[Arrays]:
    """The same batches; an error is noted, because Keras and TensorFlow make others of it."""
    try:
        yield from batches
    except Exception as error:
        failed.append(error)
        raise


def _batches(batches: Iterator[Arrays], even: bool) -> Any:
    """Batches as Keras' backend takes them best."""
    if keras.backend.backend() != "tensorflow":
        return ((batch,) for batch in batches)
    import tensorflow as tf

    first = next(batches)
    # Keras' own adapter for generators leaves the size of a batch open, even where all are equal.
    signature = tuple(
        tf.TensorSpec((len(each) if even else None, *each.shape[1:]), each.dtype) for each in first
    )
    again = itertools.chain([first], batches)
    return tf.data.Dataset.from_generator(
        lambda: ((batch,) for batch in again), output_signature=(signature,)
    )
