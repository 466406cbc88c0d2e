"""A full disk makes the master wait, not lose anything."""

import errno
import logging
from pathlib import Path

import pytest

from bohb_seg.errors import RunLostError, RunMissingError
from bohb_seg.master.recorder import Recorder
from bohb_seg.search.events import StopRequested

EVENTS = [StopRequested("enough")]


class Directory:
    """A run directory that has no room for the first few writes."""

    path = Path("runs/a")

    def __init__(self, failures=0, missing=0):
        self.failures, self.missing, self.recorded = failures, missing, []

    def check(self):
        if self.missing:
            self.missing -= 1
            raise RunMissingError("it is gone")

    def rescue(self):
        return "it was moved"

    def record(self, events):
        if self.failures:
            self.failures -= 1
            raise OSError(errno.ENOSPC, "No space left on device")
        self.recorded.append(events)


def never():
    return False


def test_a_directory_that_comes_back_is_waited_for(caplog):
    directory = Directory(missing=2)
    recorder = Recorder(directory, never)
    with caplog.at_level(logging.WARNING):
        assert recorder.record(EVENTS)
    assert (directory.recorded, recorder.lost) == ([EVENTS], None)
    assert caplog.messages == ["paused: runs/a is missing; put it back"]


def test_a_directory_that_stays_away_ends_the_master(monkeypatch):
    monkeypatch.setattr("bohb_seg.master.recorder.RETURN_WITHIN", 0.1)
    recorder = Recorder(Directory(missing=10**9), never)
    with pytest.raises(RunLostError, match="it was moved"):
        recorder.look_after()
    assert recorder.lost is not None


def test_nobody_waits_for_a_directory_who_was_told_to_leave():
    recorder = Recorder(Directory(missing=10**9), lambda: True)
    with pytest.raises(RunLostError, match="it was moved"):
        recorder.record(EVENTS)


def test_events_are_written_at_once_where_there_is_room(caplog):
    directory = Directory(failures=0)
    recorder = Recorder(directory, never)
    with caplog.at_level(logging.INFO):
        assert recorder.record(EVENTS)
    assert (directory.recorded, recorder.is_paused, caplog.messages) == ([EVENTS], False, [])


def test_a_full_disk_is_waited_for(caplog):
    directory = Directory(failures=2)
    recorder = Recorder(directory, never)
    with caplog.at_level(logging.WARNING):
        assert recorder.record(EVENTS)
    assert (directory.recorded, recorder.is_paused) == ([EVENTS], False)
    assert caplog.messages == [
        "paused: runs/a cannot be written (No space left on device); make room and the run goes on"
    ]


def test_a_master_that_is_told_to_leave_does_not_wait():
    directory = Directory(failures=10**9)
    recorder = Recorder(directory, lambda: True)
    assert not recorder.record(EVENTS)
    assert recorder.is_paused


def test_a_master_that_is_told_to_leave_while_it_waits_leaves():
    directory = Directory(failures=10**9)
    told = iter([False, False, False])
    recorder = Recorder(directory, lambda: next(told, True))
    assert not recorder.record(EVENTS)
    assert directory.recorded == []


def test_a_disk_that_has_room_again_ends_the_pause(caplog):
    directory = Directory(failures=1)
    recorder = Recorder(directory, lambda: True)
    assert not recorder.record(EVENTS)
    caplog.clear()
    with caplog.at_level(logging.INFO):
        assert recorder.record(EVENTS)
    assert not recorder.is_paused
    assert caplog.messages == ["going on: there is room again"]
