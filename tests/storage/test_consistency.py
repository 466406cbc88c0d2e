"""Every journal of one scheduler is consistent; that of two is not."""

from helpers.scheduler_world import LADDERS, happenings, plans, play
from hypothesis import given, settings
from hypothesis import strategies as st

from bohb_seg.search.plan import Plan
from bohb_seg.storage.consistency import Consistency
from bohb_seg.storage.journal_entries import RulesChanged, RunResumed, RunStarted

PLAN = Plan(n_iterations=1)
START = RunStarted({}, {}, {}, {})


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(LADDERS), plans, happenings, st.floats(0, 1))
def test_a_run_is_consistent_wherever_a_master_was_killed(ladder, plan, story, share):
    world = play(ladder, plan, story)
    events = [event for news, orders in world.told for event in (news, *orders)]
    cut = round(share * len(events))
    events = [START, *events[:cut], RunResumed(), *events[cut:]]
    assert Consistency().first_objection(events) == ""


def test_a_run_that_two_masters_settled_is_not():
    world = play(LADDERS[0], PLAN, [])
    events = [event for news, orders in world.told for event in (news, *orders)]
    objection = Consistency().first_objection([START, *events, RunResumed(), *events[1:]])
    assert objection == "trial 0-0-0 after 1 epochs is ordered after it was settled"


def test_a_journal_begins_once():
    assert Consistency().first_objection([RunResumed()]) == "the run has not begun"
    assert Consistency().first_objection([START, START]) == "the run begins twice"
    assert Consistency().first_objection([START, RulesChanged("others")]) == ""
