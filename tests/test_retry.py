"""Pauses, patience and lines of the log, by a clock that only waiting moves on."""

import logging
import math
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bohb_seg import retry
from bohb_seg.retry import FIRST_PAUSE, LONGEST_PAUSE, SETTLED, Restarts, Retry, wait_until


class Clock:
    """Stands in for the module ``time``: nobody really waits."""

    def __init__(self, monkeypatch):
        self.now, self.pauses = 1000.0, []
        monkeypatch.setattr(retry, "time", self)

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.pauses.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


def tries(found, clock, at_most=1000):
    """How often it is tried until it is given up."""
    return next((n for n in range(1, at_most) if not found.pause("no")), math.inf)


def test_the_first_pause_is_short_and_they_double(clock):
    found = Retry("it fails", wait=clock.sleep)
    assert all(found.pause() for _ in range(6))
    assert clock.pauses == [FIRST_PAUSE, 0.4, 0.8, LONGEST_PAUSE, LONGEST_PAUSE, LONGEST_PAUSE]


def test_it_ends_before_the_pause_that_is_longer_than_its_patience(clock):
    found = Retry("it fails", patience=2.0, wait=clock.sleep)
    assert tries(found, clock) == 4
    assert clock.pauses == [FIRST_PAUSE, 0.4, 0.8]


def test_work_that_takes_its_time_counts_too(clock):
    found = Retry("it fails", patience=2.0, wait=clock.sleep)
    clock.now += 1.9
    assert not found.pause()
    assert clock.pauses == []


def test_progress_begins_the_patience_again(clock):
    found = Retry("it fails", patience=2.0, wait=clock.sleep)
    for _ in range(20):
        assert found.pause()
        found.progressed()
    assert tries(found, clock) == 3


def test_one_kind_of_failure_may_be_less_promising(clock):
    found = Retry("it fails", patience=100.0, wait=clock.sleep)
    assert found.pause("it is away")
    assert not found.pause("it refuses", patience=0.5)
    assert found.pause("it is away")


def test_a_way_to_wait_may_end_it(clock):
    stopped = threading.Event()
    stopped.set()
    assert not Retry("it fails", wait=stopped.wait).pause()


def test_the_log_says_at_once_and_once_a_minute_why(clock, caplog):
    caplog.set_level(logging.INFO)
    found = Retry("it fails", wait=clock.sleep)
    for number in range(100):
        found.pause(f"for the {number}. time")
    assert caplog.messages == [
        "it fails (for the 0. time); trying again",
        "it fails (for the 62. time); trying again",
    ]
    assert {record.levelname for record in caplog.records} == {"INFO"}


def test_the_log_says_it_in_the_words_of_the_caller(clock, caplog):
    found = Retry(
        "the disk is full", "make room", say_every=5, level=logging.WARNING, wait=clock.sleep
    )
    for _ in range(9):
        found.pause()
    assert caplog.messages == ["the disk is full; make room"] * 2
    assert {record.levelname for record in caplog.records} == {"WARNING"}


@given(
    patience=st.floats(0, 500),
    first=st.floats(0.01, 5),
    longest=st.floats(5, 50),
    work=st.lists(st.floats(0, 20), max_size=20),
)
def test_it_is_never_waited_longer_than_the_patience(patience, first, longest, work):
    with pytest.MonkeyPatch.context() as patch:
        clock = Clock(patch)
        found = Retry("it fails", patience=patience, first=first, longest=longest, wait=clock.sleep)
        began = clock.now
        for seconds in [*work, *[1.0] * 1000]:
            clock.now += seconds
            waited = len(clock.pauses)
            if not found.pause():
                assert len(clock.pauses) == waited
                break
            assert clock.now - began <= patience + 1e-6
        else:
            pytest.fail("it never ends")
        assert all(first <= pause <= longest for pause in clock.pauses)
        assert clock.pauses == sorted(clock.pauses)


def test_a_condition_ends_a_wait_early_and_it_is_tried_again():
    told = threading.Event()
    timer = threading.Timer(0.05, told.set)
    timer.start()
    began = time.monotonic()
    assert Retry("it fails", first=60, wait=wait_until(told.is_set)).pause()
    assert time.monotonic() - began < 30
    timer.join()


def test_a_condition_that_never_holds_is_waited_for(clock):
    wait_until(lambda: False)(1.0)
    assert sum(clock.pauses) == pytest.approx(1.0)


def test_a_condition_may_raise():
    def interrupted():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Retry("it fails", wait=wait_until(interrupted)).pause()


def test_restarts_wait_longer_and_longer_until_a_process_has_lived():
    restarts = Restarts()
    assert [restarts.after(0.5) for _ in range(8)] == [1, 2, 4, 8, 16, 30, 30, 30]
    assert not restarts.are_in_vain
    restarts.after(0.5)
    restarts.after(0.5)
    assert restarts.are_in_vain
    assert restarts.after(SETTLED + 1) == 1
    assert not restarts.are_in_vain
