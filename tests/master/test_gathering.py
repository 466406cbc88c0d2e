"""With ``--min-workers`` nothing begins before enough workers are there."""

import logging

import pytest

from bohb_seg.master.gathering import Gathering
from bohb_seg.search.events import StopRequested, WorkersChanged

A, B = (WorkersChanged(joined=(name,)) for name in "ab")
STOP = StopRequested("enough")


def test_news_are_held_back_until_enough_workers_are_there():
    gathering = Gathering(2)
    assert list(gathering.admit([A, STOP])) == []
    assert list(gathering.admit([])) == []
    assert list(gathering.admit([B])) == [A, STOP, B]
    assert list(gathering.admit([STOP])) == [STOP]
    assert list(gathering.admit([])) == []


def test_a_worker_that_has_left_is_not_there():
    gathering = Gathering(2)
    gone = WorkersChanged(left=("a",))
    assert list(gathering.admit([A, gone, B])) == []
    assert list(gathering.admit([A])) == [A, gone, B, A]


def test_a_worker_that_is_held_back_was_met():
    gathering = Gathering(2)
    gathering.admit([STOP])
    assert not gathering.met
    gathering.admit([A])
    gathering.admit([])
    assert gathering.met


def test_a_worker_that_joins_twice_is_one():
    gathering = Gathering(2)
    assert list(gathering.admit([A, A])) == []


@pytest.mark.parametrize("gathering", [Gathering(0), Gathering(3, is_complete=True)])
def test_nothing_is_held_back_where_nobody_is_waited_for(gathering):
    assert list(gathering.admit([A])) == [A]


def test_each_arrival_is_told_once(caplog):
    gathering = Gathering(3)
    with caplog.at_level(logging.INFO):
        for news in ([], [A], [], [B], [STOP]):
            gathering.admit(news)
    assert caplog.messages == [
        "1 of the --min-workers 3 are here",
        "2 of the --min-workers 3 are here",
    ]
