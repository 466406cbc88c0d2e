"""The table of a worker's states: whole, and kept to."""

from typing import get_args

import pytest

from bohb_seg.master.worker_states import (
    LEGAL_MOVES,
    MEANINGS,
    NOT_MET,
    REMEMBERED_MOVES,
    UNKNOWN_TO_SCHEDULER,
    State,
    StateRecord,
)
from bohb_seg.search.evaluations import InvalidTransitionError

STATES = get_args(State)


def test_every_state_has_its_moves_and_its_meaning():
    assert set(LEGAL_MOVES) == set(MEANINGS) == set(STATES)
    assert {state for moves in LEGAL_MOVES.values() for state in moves} <= set(STATES)
    assert set(STATES) >= NOT_MET | UNKNOWN_TO_SCHEDULER


def test_meanings_are_sentences():
    for meaning in MEANINGS.values():
        assert meaning[0].isupper()
        assert meaning.endswith(".")
        assert "\n" not in meaning


def test_every_state_can_be_reached_and_every_life_can_end():
    reached, ends = {"unmet", "assumed"}, {"gone", "closed"}
    for _ in STATES:
        reached |= {state for before in reached for state in LEGAL_MOVES[before]}
        ends |= {state for state in STATES if ends & set(LEGAL_MOVES[state])}
    assert reached == ends == set(STATES)
    assert [state for state in STATES if not LEGAL_MOVES[state]] == ["gone", "closed"]


@pytest.mark.parametrize("first", STATES)
@pytest.mark.parametrize("then", STATES)
def test_only_legal_moves_are_made(first, then):
    record = StateRecord(first)
    if then in LEGAL_MOVES[first]:
        record.move(then)
        assert (record.now, record.is_last) == (then, not LEGAL_MOVES[then])
    else:
        with pytest.raises(InvalidTransitionError, match=f"{first} cannot become {then}"):
            record.move(then)
        assert record.now == first


def test_an_illegal_move_tells_how_it_came_to_it():
    record = StateRecord("unmet")
    record.move("idle")
    record.move("delivering", "attempt 1")
    with pytest.raises(InvalidTransitionError) as error:
        record.move("unmet")
    assert error.value.history == ("unmet", "idle", "delivering, attempt 1")


def test_a_long_history_is_cut_at_its_beginning():
    record = StateRecord("idle")
    for _ in range(REMEMBERED_MOVES):
        record.move("delivering")
        record.move("idle")
    assert len(record.history) == REMEMBERED_MOVES
    assert record.history[-1] == "idle"
