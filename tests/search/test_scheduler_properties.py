"""Whatever happens to the workers, every evaluation is counted exactly once.

``World`` plays the cluster: hypothesis draws what happens next, the world sends the news and checks
every order against what a cluster can do. Afterwards whatever is left is driven to its end without
faults, and the books are audited by an independent account.
"""

from helpers.scheduler_world import (
    LADDERS,
    Repeating,
    audit_end,
    audit_incumbent,
    audit_limits,
    audit_observations,
    audit_rungs,
    happenings,
    plans,
    play,
    reread,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from bohb_seg.search.scheduler import Scheduler


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(LADDERS), plans, happenings)
def test_every_evaluation_is_counted_once(ladder, plan, story):
    world = play(ladder, plan, story)
    audit_observations(world)
    audit_rungs(world)
    audit_limits(world)
    audit_incumbent(world)
    audit_end(world)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(LADDERS), plans, happenings)
def test_a_replay_gives_the_same_orders(ladder, plan, story):
    world = play(ladder, plan, story)
    again = Scheduler(Repeating(ladder), plan, {"x": 0})
    assert [again.handle(reread(news)) for news, _ in world.told] == [
        orders for _, orders in world.told
    ]
    assert again.progress == world.scheduler.progress
