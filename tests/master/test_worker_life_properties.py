"""Whatever the order of events, the rules of a worker's life hold.

``World`` plays worker, link and scheduler: hypothesis draws what happens next, the world tells the
life and checks every instruction against an account of its own.
"""

import pytest
from helpers.worker_story import Beginning, beginnings, stories, tell
from hypothesis import given, settings

from bohb_seg.master.worker_events import Bring
from bohb_seg.master.worker_life import Past


@settings(max_examples=1000, deadline=None)
@given(beginnings, stories)
def test_whatever_happens_the_rules_hold(beginning, story):
    tell(beginning, story)


@settings(max_examples=300, deadline=None)
@given(beginnings, stories)
def test_a_worker_that_answers_from_now_on_gets_every_order(beginning, story):
    told = tell(beginning, story)
    told.answer_everything()
    assert told.life.over or told.owed == []


def test_the_rules_would_notice_a_doubled_order():
    world = tell(Beginning(True, Past(None)), [("give", None)])
    bring = Bring(world.owed[0])
    world.answer("idle")
    with pytest.raises(AssertionError, match="brought twice"):
        world.carry_out([bring])
