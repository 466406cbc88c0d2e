"""The same complaint is a warning once a minute."""

import logging
from types import SimpleNamespace

import pytest

from bohb_seg.rpc import complaints
from bohb_seg.rpc.complaints import LONGEST, MOST_KINDS, REPEAT_AFTER, Complaints

log = logging.getLogger("complaints.try")


@pytest.fixture
def clock(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(complaints, "time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


@pytest.fixture
def warnings(caplog):
    caplog.set_level(logging.DEBUG, log.name)
    return lambda: [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]


def test_a_repeated_complaint_is_a_debug_message(clock, warnings, caplog):
    told = Complaints(log)
    for sentence in ("a", "b", "c"):
        told.complain("kind", sentence)
    assert (warnings(), caplog.messages) == (["a"], ["a", "b", "c"])
    clock[0] += REPEAT_AFTER + 1
    told.complain("kind", "d")
    assert warnings() == ["a", "d"]


def test_other_kinds_are_other_complaints(clock, warnings):
    told = Complaints(log)
    told.complain("one", "a")
    told.complain(("two", 2), "b")
    assert warnings() == ["a", "b"]


def test_a_flood_of_kinds_does_not_fill_the_memory(clock, warnings):
    told = Complaints(log)
    for kind in range(3 * MOST_KINDS):
        told.complain(kind, "x")
    assert len(told._warned) <= MOST_KINDS
    assert len(warnings()) == MOST_KINDS
    clock[0] += REPEAT_AFTER + 1
    told.complain("another", "y")
    assert warnings()[-1] == "y"


def test_words_that_a_terminal_would_obey_are_not_told(clock, warnings):
    Complaints(log).complain("kind", "a\nb\x1b[2Jc\u202e" + "x" * 9000)
    (said,) = warnings()
    assert said.startswith("a b [2Jc xxx")
    assert len(said) <= LONGEST
