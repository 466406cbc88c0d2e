"""Batches of what needs no gradient, smaller ones where the device's memory runs out."""

from collections.abc import Callable, Iterator
from typing import TypeVar

from bohb_seg import devices

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
