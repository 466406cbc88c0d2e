"""The next batches are read while the device computes.

One thread reads, so the order is that of the source; it is at most ``depth`` batches ahead. The
thread lives as long as the iterator: it ends when all is read, when the iterator is closed, and
when reading fails, which the caller is told at the batch that failed.
"""

import threading
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Generic, TypeVar, final

AHEAD = 2
"""Batches read ahead: one waits for the device while the next is read."""

T = TypeVar("T")


def ahead(source: Iterable[T], depth: int = AHEAD) -> Generator[T, None, None]:
    """Yields what the source yields, computed by a thread before it is asked for.

    Close it (``contextlib.closing``) where it may not be read to its end; that waits for the item
    that is being computed. A source that is a generator is closed too, by the thread.

    Args:
        source: Is only used by the thread.
        depth: Items that wait to be taken, at most.

    Raises:
        BaseException: what the source raises, after all items before it.
    """
    reader = _Reader(source, depth)
    thread = threading.Thread(target=reader.run, name="read-ahead", daemon=True)
    thread.start()
    try:
        while (item := reader.items.get()) is not None:
            reader.free.release()
            yield item.value
    finally:
        reader.closed = True
        reader.free.release()
        thread.join()
    if reader.error:
        raise reader.error


@dataclass(frozen=True)
class _Item(Generic[T]):
    value: T


@final
class _Reader(Generic[T]):
    """The part of :func:`ahead` that the thread runs.

    Attributes:
        items: What was computed, then None.
        free: Places for items that may be computed.
        closed: Whether nobody takes any more items.
        error: Reason for an early end.
    """

    def __init__(self, source: Iterable[T], depth: int) -> None:
        assert depth >= 1, "at least one item must have room"
        self._source = source
        self.items: SimpleQueue[_Item[T] | None] = SimpleQueue()
        self.free = threading.Semaphore(depth)
        self.closed = False
        self.error: BaseException | None = None

    def run(self) -> None:
        """Computes all items, each when there is room for it."""
        try:
            iterator = iter(self._source)
            while self._has_room():
                self.items.put(_Item(next(iterator)))
        except StopIteration:
            pass
        except BaseException as error:  # whoever takes the items gets it
            self.error = error
        finally:
            self._close()
            self.items.put(None)

    def _has_room(self) -> bool:
        self.free.acquire()
        return not self.closed

    def _close(self) -> None:
        if isinstance(self._source, Generator):
            self._source.close()
