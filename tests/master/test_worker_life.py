"""A worker's life without threads and wires: events in, instructions out."""

from math import inf

import pytest
from helpers.worker_story import HEARTBEAT, order

from bohb_seg.master.lease import LEASE
from bohb_seg.master.worker_events import (
    Announce,
    Answered,
    Ask,
    Bring,
    CallFailed,
    Complain,
    ConnectionLost,
    Dismiss,
    Forget,
    HeartbeatPassed,
    LinkFailed,
    MasterCloses,
    OrderGiven,
    Parted,
    Renewed,
    Renounce,
    ReportLost,
    ResultCame,
    Took,
)
from bohb_seg.master.worker_life import IDLE_LOOKS_UNTIL_LOST, Past, WorkerLife
from bohb_seg.trials import Attempt

ORDER, OTHER = order(0), order(1)
ATTEMPT, OTHER_ATTEMPT = (Attempt(o.evaluation, o.attempt) for o in (ORDER, OTHER))
LEASE_SECONDS = LEASE * HEARTBEAT
IDLE, UNWANTED = Answered(busy=False), Answered(busy=True)
STOCK_IDLE, STOCK_BUSY = (Answered(busy, names_attempt=False) for busy in (False, True))


def at(attempt):
    return Answered(busy=True, attempt=attempt)


def lived(*events, past=None, limit=inf):
    """A life after these events, all at time 0."""
    life = WorkerLife(0.0, HEARTBEAT, past, limit)
    for event in events:
        life.handle(event, 0.0)
    return life


MET = HeartbeatPassed(), IDLE
AT_WORK = *MET, OrderGiven(ORDER), Took(ORDER)


# --- meeting a worker --------------------------------------------------------------------------


def test_a_worker_is_asked_first():
    life = lived()
    assert life.handle(HeartbeatPassed(), 0.0) == [Ask()]
    assert life.handle(HeartbeatPassed(), 0.0) == []  # one question at a time


@pytest.mark.parametrize(
    ("answer", "follows", "state"),
    [
        (IDLE, [Announce(None)], "idle"),
        (at(ATTEMPT), [Announce(ATTEMPT)], "at work"),
        (UNWANTED, [], "unmet"),
        (STOCK_IDLE, [Announce(None)], "idle"),
        (STOCK_BUSY, [], "unmet"),
    ],
)
def test_a_new_worker_is_announced_with_what_it_does(answer, follows, state):
    life = lived(HeartbeatPassed())
    assert life.handle(answer, 0.0) == follows
    assert life.state == state


def test_a_worker_that_is_not_announced_is_asked_again():
    life = lived(HeartbeatPassed(), UNWANTED, Renewed(busy=True))
    assert life.handle(HeartbeatPassed(), 0.0) == [Ask()]
    assert life.handle(IDLE, 0.0) == [Announce(None)]


def test_a_renewal_alone_announces_nobody():
    life = lived()
    assert life.handle(Renewed(busy=False), 0.0) == []
    assert life.state == "unmet"


def test_an_answer_that_contradicts_itself_cannot_be_made():
    for busy, names in ((False, True), (True, False)):
        with pytest.raises(ValueError, match="only a busy worker that can tell"):
            Answered(busy, ATTEMPT, names)


# --- a worker of the previous master -----------------------------------------------------------


@pytest.mark.parametrize(
    ("known_order", "answer", "follows", "state"),
    [
        (None, IDLE, [], "idle"),
        (None, UNWANTED, [], "assumed"),
        (None, at(OTHER_ATTEMPT), [Renounce(), Announce(OTHER_ATTEMPT)], "at work"),
        (None, STOCK_IDLE, [], "idle"),
        (None, STOCK_BUSY, [Renounce()], "unmet"),
        (ORDER, IDLE, [Bring(ORDER)], "delivering"),
        (ORDER, at(ATTEMPT), [], "at work"),
        (ORDER, UNWANTED, [], "assumed"),
        (ORDER, at(OTHER_ATTEMPT), [Renounce(), Announce(OTHER_ATTEMPT)], "at work"),
        (ORDER, STOCK_IDLE, [Renounce(), Announce(None)], "idle"),
        (ORDER, STOCK_BUSY, [Renounce()], "unmet"),
    ],
)
def test_the_scheduler_hears_only_what_it_does_not_know(known_order, answer, follows, state):
    life = lived(HeartbeatPassed(), past=Past(known_order))
    assert life.handle(answer, 0.0) == follows
    assert life.state == state


def test_what_was_never_brought_is_brought_when_an_old_result_is_delivered():
    life = lived(HeartbeatPassed(), UNWANTED, HeartbeatPassed(), past=Past(ORDER))
    assert life.handle(IDLE, 0.0) == [Bring(ORDER)]


def test_an_order_whose_result_came_is_not_brought():
    life = lived(HeartbeatPassed(), ResultCame(ATTEMPT), past=Past(ORDER))
    assert life.handle(IDLE, 0.0) == []
    assert life.state == "idle"


def test_an_order_of_this_master_is_brought_before_the_worker_is_met():
    life = lived(HeartbeatPassed(), ResultCame(ATTEMPT), past=Past(ORDER))
    assert life.handle(OrderGiven(OTHER), 0.0) == [Bring(OTHER)]


def test_an_order_waits_until_it_is_known_whether_the_one_before_was_brought():
    life = lived(HeartbeatPassed(), past=Past(ORDER))
    assert life.handle(OrderGiven(OTHER), 0.0) == []
    assert life.handle(at(ATTEMPT), 0.0) == [Bring(OTHER)]


def test_a_result_makes_way_for_the_order_that_waits():
    life = lived(OrderGiven(OTHER), past=Past(ORDER))
    assert life.handle(ResultCame(ATTEMPT), 0.0) == [Bring(OTHER)]


# --- orders and results ------------------------------------------------------------------------


def test_an_order_is_brought_and_its_result_frees_the_worker():
    life = lived(*MET)
    assert life.handle(OrderGiven(ORDER), 0.0) == [Bring(ORDER)]
    assert life.handle(Took(ORDER), 0.0) == []
    assert life.state == "at work"
    assert life.handle(ResultCame(ATTEMPT), 0.0) == []
    assert life.state == "idle"


def test_an_order_is_brought_again_until_it_is_taken():
    life = lived(*MET, OrderGiven(ORDER))
    for _ in range(3):
        assert life.handle(CallFailed(Bring(ORDER), refused=False), 0.0) == [Bring(ORDER)]
    assert life.wants(Bring(ORDER))
    assert life.handle(Took(ORDER), 0.0) == []
    assert not life.wants(Bring(ORDER))


def test_a_result_that_is_faster_than_the_call_ends_the_delivery():
    life = lived(*MET, OrderGiven(ORDER), ResultCame(ATTEMPT))
    assert not life.wants(Bring(ORDER))
    assert life.handle(CallFailed(Bring(ORDER), refused=False), 0.0) == []
    assert life.handle(Took(ORDER), 0.0) == []
    assert life.state == "idle"


def test_orders_are_brought_one_after_the_other():
    life = lived(*MET, OrderGiven(ORDER))
    assert life.handle(OrderGiven(OTHER), 0.0) == []
    assert life.handle(Took(ORDER), 0.0) == [Bring(OTHER)]
    assert life.handle(Took(OTHER), 0.0) == []
    assert life.handle(ResultCame(ATTEMPT), 0.0) == []
    assert life.state == "at work"


def test_an_order_for_a_worker_that_was_renounced_is_not_brought():
    life = lived(HeartbeatPassed(), STOCK_BUSY, past=Past(ORDER))
    assert life.handle(OrderGiven(OTHER), 0.0) == []
    assert life.handle(HeartbeatPassed(), 0.0) == [Ask()]
    assert life.handle(STOCK_IDLE, 0.0) == [Announce(None)]


def test_orders_from_before_a_renouncement_are_not_brought_after_it():
    life = lived(HeartbeatPassed(), OrderGiven(OTHER), past=Past(ORDER))
    assert life.handle(STOCK_IDLE, 0.0) == [Renounce(), Announce(None)]
    assert life.state == "idle"


def test_the_result_of_another_attempt_changes_nothing():
    life = lived(*AT_WORK)
    assert life.handle(ResultCame(OTHER_ATTEMPT), 0.0) == []
    assert life.state == "at work"


def looks(life, *busy):
    return [life.handle(Renewed(each), 0.0) for each in busy]


def test_a_worker_that_stays_idle_has_lost_its_result():
    life = lived(*AT_WORK)
    assert looks(life, *[False] * IDLE_LOOKS_UNTIL_LOST) == [[], [], [ReportLost(ATTEMPT)]]
    assert life.state == "idle"
    assert looks(life, *[False] * IDLE_LOOKS_UNTIL_LOST) == [[], [], []]


def test_looks_count_only_in_a_row():
    life = lived(*AT_WORK)
    assert looks(life, False, False, True, False, False) == [[]] * 5
    assert life.handle(IDLE, 0.0) == [ReportLost(ATTEMPT)]


def test_while_an_order_is_on_its_way_idleness_proves_nothing():
    life = lived(*MET, OrderGiven(ORDER))
    assert looks(life, *[False] * 5) == [[]] * 5
    assert life.handle(Took(ORDER), 0.0) == []
    assert looks(life, False, False) == [[], []]


def test_an_attempt_that_a_worker_came_back_with_can_be_lost_too():
    life = lived(HeartbeatPassed(), at(ATTEMPT))
    assert looks(life, False, False, False)[-1] == [ReportLost(ATTEMPT)]


# --- whether it is there -----------------------------------------------------------------------


def test_a_stock_worker_is_asked_in_every_heartbeat_and_ours_is_not():
    life = lived(HeartbeatPassed(), STOCK_IDLE)
    assert life.handle(HeartbeatPassed(), 0.0) == [Ask()]
    life = lived(*MET, Renewed(busy=False))
    assert life.handle(HeartbeatPassed(), 0.0) == []


@pytest.mark.parametrize("sign", [IDLE, Took(ORDER), Renewed(busy=True)])
def test_every_sign_of_life_renews_the_lease(sign):
    life = lived(*MET, OrderGiven(ORDER))
    life.handle(sign, LEASE_SECONDS)
    life.handle(HeartbeatPassed(), 2 * LEASE_SECONDS)
    assert life.state != "gone"
    assert Renounce() in life.handle(HeartbeatPassed(), 2 * LEASE_SECONDS + 0.1)
    assert life.state == "gone"


LATE = LEASE_SECONDS + 0.1


@pytest.mark.parametrize(
    ("events", "past", "follows"),
    [
        ((HeartbeatPassed(),), None, [Complain()]),
        ((HeartbeatPassed(),), Past(ORDER), [Renounce(), Complain()]),
        (MET, None, [Renounce()]),
        (AT_WORK, None, [Renounce()]),
    ],
)
@pytest.mark.parametrize("last", [HeartbeatPassed(), CallFailed(Ask(), refused=False)])
def test_silence_for_a_lease_is_the_end(events, past, follows, last):
    life = lived(*events, past=past)
    assert life.handle(last, LATE) == follows
    assert life.state == "gone"


def test_silence_within_the_lease_is_borne():
    life = lived(HeartbeatPassed())
    assert life.handle(CallFailed(Ask(), refused=False), LEASE_SECONDS) == [Ask()]
    life = lived(*AT_WORK, ConnectionLost())
    assert life.handle(CallFailed(Ask(), refused=False), LEASE_SECONDS) == []
    assert life.state == "at work"


@pytest.mark.parametrize(
    ("events", "past", "follows"),
    [
        ((HeartbeatPassed(),), None, [Complain(), Forget()]),
        ((HeartbeatPassed(),), Past(None), [Renounce(), Forget()]),
        (MET, None, [Renounce(), Forget()]),
        (AT_WORK, None, [Renounce(), Forget()]),
    ],
)
def test_a_refused_connection_is_the_end_at_once(events, past, follows):
    life = lived(*events, past=past)
    assert life.handle(CallFailed(Ask(), refused=True), 0.0) == follows
    assert life.over


@pytest.mark.parametrize(("events", "follows"), [((), [Forget()]), (MET, [Renounce(), Forget()])])
def test_a_goodbye_is_the_end_at_once(events, follows):
    life = lived(*events)
    assert life.handle(Parted(), 0.0) == follows


def test_a_lost_connection_is_looked_into_at_once():
    life = lived(*MET, Renewed(busy=False))
    assert life.handle(ConnectionLost(), 0.0) == [Ask()]
    assert life.handle(IDLE, 0.0) == []
    assert life.state == "idle"


# --- whether it died of its attempt ------------------------------------------------------------

BRINGING = *MET, OrderGiven(ORDER)
ENDED = CallFailed(Ask(), refused=True, process_ended=True)


@pytest.mark.parametrize("events", [BRINGING, AT_WORK])
def test_a_process_that_ended_at_its_attempt_is_told_before_it_leaves(events):
    life = lived(*events)
    assert life.handle(ENDED, 0.0) == [ReportLost(ATTEMPT, "died"), Renounce(), Forget()]


@pytest.mark.parametrize("events", [MET, (*AT_WORK, ResultCame(ATTEMPT))])
def test_a_process_that_ended_while_it_was_idle_is_no_sign_against_anything(events):
    life = lived(*events)
    assert life.handle(ENDED, 0.0) == [Renounce(), Forget()]


def test_whoever_ended_while_there_was_no_master_is_not_held_against_its_attempt():
    life = lived(HeartbeatPassed(), past=Past(ORDER))
    assert life.handle(ENDED, 0.0) == [Renounce(), Forget()]


def test_a_worker_whose_connection_ended_and_that_stays_away_has_died():
    life = lived(*AT_WORK, Renewed(busy=True), ConnectionLost())
    died = [ReportLost(ATTEMPT, "died"), Renounce()]
    assert life.handle(HeartbeatPassed(), LATE) == died


@pytest.mark.parametrize("sign", [at(ATTEMPT), Renewed(busy=True)])
def test_a_worker_that_was_heard_of_after_its_connection_ended_has_not_died(sign):
    life = lived(*AT_WORK, ConnectionLost(), sign)
    assert life.handle(HeartbeatPassed(), LATE) == [Renounce()]


@pytest.mark.parametrize(
    "last", [HeartbeatPassed(hangs=True), CallFailed(Ask(), refused=False, hangs=True)]
)
def test_a_silent_worker_whose_machine_answers_hangs(last):
    life = lived(*AT_WORK, ConnectionLost())
    assert life.handle(last, LATE) == [ReportLost(ATTEMPT, "hangs"), Renounce()]


# --- whether its attempt takes too long --------------------------------------------------------

LIMIT = 10 * LEASE_SECONDS


def test_signs_of_life_of_an_overdue_attempt_do_not_count():
    life = lived(*AT_WORK, limit=LIMIT)
    assert life.handle(Renewed(busy=True), LIMIT) == []
    assert life.handle(Renewed(busy=True), LIMIT + 0.1) == []
    assert life.handle(HeartbeatPassed(), LIMIT + LEASE_SECONDS) == []
    overdue = [ReportLost(ATTEMPT, "overdue"), Renounce()]
    assert life.handle(HeartbeatPassed(), LIMIT + LATE) == overdue


def test_each_attempt_has_its_own_time():
    life = lived(*AT_WORK, limit=LIMIT)
    life.handle(Renewed(busy=True), LIMIT)
    life.handle(ResultCame(ATTEMPT), LIMIT + 0.1)
    life.handle(OrderGiven(OTHER), LIMIT + 0.1)
    life.handle(Took(OTHER), LIMIT + 0.1)
    life.handle(Renewed(busy=True), 2 * LIMIT)
    assert life.handle(HeartbeatPassed(), 2 * LIMIT + LEASE_SECONDS) == []
    assert life.state == "at work"


def test_an_idle_worker_is_never_overdue():
    life = lived(*MET, limit=LIMIT)
    life.handle(Renewed(busy=False), 5 * LIMIT)
    assert life.handle(HeartbeatPassed(), 5 * LIMIT + LEASE_SECONDS) == []


def test_a_late_result_of_an_overdue_attempt_renews_the_lease():
    life = lived(*AT_WORK, limit=LIMIT)
    life.handle(Renewed(busy=True), LIMIT)
    assert life.handle(ResultCame(ATTEMPT), LIMIT + LEASE_SECONDS) == []
    assert life.handle(HeartbeatPassed(), LIMIT + 2 * LEASE_SECONDS) == []


# --- the end -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("events", "follows"), [((), []), (MET, [Renounce()]), (AT_WORK, [Renounce()])]
)
def test_a_fault_of_our_own_ends_the_link_and_nothing_else(events, follows):
    life = lived(*events)
    assert life.handle(LinkFailed(), 0.0) == follows
    assert life.over


@pytest.mark.parametrize(("dismiss", "follows"), [(True, [Dismiss()]), (False, [])])
@pytest.mark.parametrize("events", [(), MET, (*MET, OrderGiven(ORDER)), AT_WORK])
def test_a_master_that_closes_renounces_nobody(events, dismiss, follows):
    life = lived(*events)
    assert life.handle(MasterCloses(dismiss), 0.0) == follows
    assert life.state == "closed"
    assert [life.wants(call) for call in (Ask(), Bring(ORDER))] == [False, False]
    assert [life.wants(call) for call in (Forget(), Dismiss())] == [True, True]


def test_after_the_end_nothing_follows():
    life = lived(Parted())
    for event in (HeartbeatPassed(), IDLE, OrderGiven(ORDER), Parted(), MasterCloses(True)):
        assert life.handle(event, 0.0) == []
    assert life.state == "gone"
