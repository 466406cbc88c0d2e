from dataclasses import replace

import pytest
from helpers.journals import evaluation, news, order

from bohb_seg.dashboard.journal_lines import JournalLine, journal_line, phase
from bohb_seg.search.events import Discard, Finish, Settled, WorkersChanged
from bohb_seg.storage.journal_entries import Entry, RunResumed
from bohb_seg.trials import TrialId

SOON = 1_790_000_000.0  # 14:13:20 UTC


@pytest.mark.parametrize(
    ("event", "look", "text"),
    [
        (order((0, 0, 1), 3), "order", "trial 0-0-1 after 3 epochs: given to a"),
        (news((0, 0, 1), 3, 0.25), "news", "trial 0-0-1 after 3 epochs: loss 0.2500"),
        (
            news((-1, 1, 0), 9, None, outcome="diverged"),
            "bad",
            "incumbent retrained for 9 epochs, seed 0: diverged (ValueError: diverged)",
        ),
        (
            replace(
                news((0, 0, 1), 3, None, outcome="crashed"),
                error="given up: nobody waits for the result any more",
            ),
            "news",
            "trial 0-0-1 after 3 epochs: given up, nobody waited for its result any more",
        ),
        (
            Settled(evaluation((-2, 0, 1), 9), 2, "a"),
            "order",
            "candidate 1 trained again for 9 epochs, seed 1: settled by attempt 2",
        ),
        (Discard(TrialId(0, 0, 1)), "order", "trial 0-0-1: goes no further"),
        (Discard(TrialId(-2, 0, 1)), "order", "candidate 1, seed 1: done"),
        (Discard(TrialId(-1, 1, 0)), "order", "incumbent, seed 0: done"),
        (WorkersChanged(joined=("a",)), "news", "worker a joined"),
    ],
)
def test_an_entry_is_a_sentence(event, look, text):
    assert journal_line(7, Entry(SOON, event)) == JournalLine(7, "14:13:20", look, text)


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ((), "waiting for workers"),
        ((WorkersChanged(joined=("a",)),), "waiting for workers"),
        ((order((0, 0, 1), 3),), "search"),
        ((order((0, 0, 1), 3), order((-2, 0, 0), 3)), "runoff"),
        ((order((-2, 0, 0), 3), order((-1, 0, 0), 9), RunResumed()), "comparison"),
        ((order((-1, 0, 0), 9), Finish("done")), "finished"),
    ],
)
def test_the_latest_events_tell_the_phase(events, expected):
    assert phase(events) == expected
