import contextlib
import gc
import threading

import numpy as np
import pytest
from helpers.stores import image_of, stored
from hypothesis import given, settings
from hypothesis import strategies as st

from bohb_seg.data.store import windows
from bohb_seg.data.store.batches import ahead
from bohb_seg.errors import DataError


@pytest.fixture(autouse=True)
def no_thread_is_left():
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) == before


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers()), st.integers(1, 5))
def test_what_is_read_ahead_is_the_same(items, depth):
    assert list(ahead(items, depth)) == items


def test_items_may_be_none():
    assert list(ahead([None, 1, None])) == [None, 1, None]


def test_the_source_is_that_far_ahead_and_not_farther():
    asked, computed = [], threading.Semaphore(0)

    def source():
        for number in range(100):
            asked.append(number)
            computed.release()
            yield number

    with contextlib.closing(ahead(source(), depth=3)) as items:
        assert next(items) == 0
        for _ in range(4):  # item 0 was taken, three wait
            assert computed.acquire(timeout=60)
    assert asked == [0, 1, 2, 3]


@pytest.mark.parametrize("taken", [0, 1, 5])
def test_closing_ends_the_thread_and_the_source(taken):
    closed = threading.Event()

    def source():
        try:
            while True:
                yield 1
        finally:
            closed.set()

    items = ahead(source())
    for _ in range(taken):
        next(items)
    items.close()

    assert closed.is_set() == (taken > 0)  # a source that nobody began has nothing to end


def test_an_iterator_that_nobody_holds_ends_its_thread():
    items = ahead(iter(int, 1))
    next(items)
    del items
    gc.collect()


def test_the_caller_gets_an_error_after_the_batches_before_it():
    def source():
        yield 1
        yield 2
        raise DataError("the store is damaged")

    items, got = ahead(source()), []
    with pytest.raises(DataError, match="the store is damaged"):
        got.extend(items)

    assert got == [1, 2]
    assert list(items) == []


def test_an_error_of_the_caller_ends_the_thread():
    def use(items):
        with contextlib.closing(items):
            next(items)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        use(ahead(iter(int, 1)))


def batches(some, order, size):
    return (some.read(order[start : start + size]) for start in range(0, len(order), size))


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(0, 8), max_size=20), st.integers(1, 6))
def test_batches_hold_windows_in_the_order_given(tmp_path_factory, order, size):
    store = stored(tmp_path_factory.mktemp("store") / "key", [image_of(48, 48)])
    laid = windows.laid(store, 16)
    images, labels = laid.read(np.arange(9))

    got = list(ahead(batches(laid, np.array(order, np.int64), size)))

    assert [len(each) for each, _ in got] == [
        min(size, len(order) - start) for start in range(0, len(order), size)
    ]
    if order:
        assert np.array_equal(np.concatenate([each for each, _ in got]), images[order])
        assert np.array_equal(np.concatenate([each for _, each in got]), labels[order])


def test_a_damaged_store_ends_the_batches(tmp_path):
    store = stored(tmp_path / "key", [image_of(200, 200)])
    (tmp_path / "key/pixels.bin").write_bytes(b"")

    with pytest.raises(DataError, match="damaged"):
        list(ahead(batches(windows.laid(store, 50), np.arange(16), 4)))
