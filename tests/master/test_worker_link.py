"""A worker's life over real Pyro4: ended, frozen, cut off, silent, doubled."""

import os
import signal
import time

import pytest
from helpers.mailbox import (
    HEARTBEAT,
    LONG,
    RUN,
    Own,
    dispatcher,
    finished,
    heard,
    known,
    nothing_more,
    opened,
    order,
    until,
)

from bohb_seg.master.micro_batches import MicroBatches
from bohb_seg.master.worker_events import Ask, HeartbeatPassed, MasterCloses, OrderGiven, ResultCame
from bohb_seg.master.worker_life import WorkerLife
from bohb_seg.master.worker_link import Surroundings, WorkerLink
from bohb_seg.search.events import WorkersChanged
from bohb_seg.trials import Attempt

ATTEMPT = Attempt(order().evaluation, 1)


# --- without a thread and a wire ---------------------------------------------------------------


class Replies:
    """Where every result is awaited until ``posted`` is true."""

    posted = False

    def awaited(self, name, worker):
        return None if self.posted else ATTEMPT

    def address(self, order):
        return f"PYRO:{RUN}reply@127.0.0.1:1"


class Doing:
    """The proxy of a worker that calls ``meanwhile`` before it answers."""

    def __init__(self, meanwhile=lambda: None):
        self.meanwhile = meanwhile

    def doing(self):
        self.meanwhile()
        return "reply"


@pytest.fixture
def link():
    """A link that is not started, and the news that it has posted."""
    posted = []
    around = Surroundings(
        heartbeat=LONG,
        working_directory="/nowhere",
        post=posted.append,
        replies=Replies(),
        registry=None,
        micro_batches=MicroBatches(),
        complaints=None,
    )
    made = WorkerLink("w", "PYRO:w@127.0.0.1:1", WorkerLife(time.monotonic(), LONG), around)
    made.posted, made.replies = posted, around.replies
    return made


def test_a_result_that_comes_while_the_worker_is_asked_is_not_announced(link):
    def result_comes():
        link.replies.posted = True
        link.tell(ResultCame(ATTEMPT))

    link.tell(HeartbeatPassed())
    link._make(Ask(), Doing(meanwhile=result_comes))
    assert link.posted == []


def test_a_worker_is_announced_before_its_result_can_come(link):
    link.tell(HeartbeatPassed())
    link._make(Ask(), Doing())
    link.tell(ResultCame(ATTEMPT))
    assert link.posted == [WorkersChanged(("w",), (), {"w": ATTEMPT})]


def test_a_fault_of_our_own_is_no_fault_of_the_worker(link, monkeypatch):
    monkeypatch.setattr(link._life, "_hear", lambda answer: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        link._make(Ask(), Doing())


# --- over real Pyro4 ---------------------------------------------------------------------------


def test_a_worker_that_ends_is_reported_once_and_may_come_back(transport, hand):
    worker = hand()
    assert heard(transport, 1) == [WorkersChanged(joined=(worker.name,))]
    worker.end()
    assert heard(transport, 1) == [WorkersChanged(left=(worker.name,))]
    until(lambda: worker.name not in known(transport))
    nothing_more(transport)
    again = hand()
    assert heard(transport, 1) == [WorkersChanged(joined=(again.name,))]


def test_a_worker_that_ends_at_its_attempt_has_died_of_it(patient, hire):
    worker = hire(patient, "node-1.77.1a2b", Own)
    heard(patient, 1)
    patient.send(order(0, 1, worker.name))
    worker.asked(0)
    worker.renew()
    worker.end()
    worker._kept._pyroRelease()
    died, left = heard(patient, 2)
    assert (died.outcome, died.lost_on, died.final) == ("crashed", "node-1", False)
    assert died.error == "crashed its worker: its process ended without a word"
    assert left == WorkersChanged(left=(worker.name,))


def test_whoever_was_taken_to_be_dead_may_still_bring_its_result(patient, hire):
    worker = hire(patient, "node-1.77.1a2b", Own)
    heard(patient, 1)
    patient.send(order(0, 1, worker.name))
    worker.asked(0)
    worker.renew()
    worker.end()
    worker._kept._pyroRelease()
    heard(patient, 2)
    worker.answer(0, finished(0.25))
    assert [news.loss for news in heard(patient, 1)] == [0.25]


def test_an_attempt_that_takes_too_long_is_told_and_its_worker_met_anew(hire):
    with opened(minutes=3 * HEARTBEAT / 60) as transport:
        worker = hire(transport, "w", Own).keep_renewing()
        heard(transport, 1)
        transport.send(order(0, 1, worker.name))
        assert worker.asked(0)[2]["max_minutes"] == 3 * HEARTBEAT / 60
        overdue, left = heard(transport, 2)
        assert (overdue.outcome, overdue.final, overdue.lost_on) == ("crashed", True, "w")
        assert overdue.error == "took longer than --max-minutes-per-evaluation 0.01"
        assert left == WorkersChanged(left=(worker.name,))
        worker._doing = ""
        assert heard(transport, 1) == [WorkersChanged(joined=(worker.name,))]


def test_a_fault_in_the_thread_of_a_link_costs_that_link_alone(patient, hire, monkeypatch):
    worker = hire(patient, "w", Own)
    heard(patient, 1)
    link = patient._attendance._links[worker.name]
    monkeypatch.setattr(link, "_wants", "cannot be called")
    link._calls.put(Ask())
    assert heard(patient, 1) == [WorkersChanged(left=(worker.name,))]
    link.join(LONG)
    worker.register()
    assert heard(patient, 1) == [WorkersChanged(joined=(worker.name,))]


def test_a_second_worker_of_the_same_name_is_not_used(transport, hand):
    first = hand()
    heard(transport, 1)
    second = hand()
    nothing_more(transport)
    transport.send(order(0, 1, first.name))
    first.answer(0, finished(0.5))
    assert [news.loss for news in heard(transport, 1)] == [0.5]
    assert second.calls == []


def test_an_idle_worker_that_never_answered_crashed(transport, hand):
    worker = hand()
    heard(transport, 1)
    transport.send(order(0, 1, worker.name))
    worker.asked(0)
    worker.busy = False
    (news,) = heard(transport, 1)
    assert (news.outcome, news.error) == ("crashed", "the worker is idle but never sent a result")
    nothing_more(transport)


def test_an_idle_worker_that_answered_is_left_in_peace(transport, hand):
    worker = hand()
    heard(transport, 1)
    transport.send(order(0, 1, worker.name))
    worker.answer(0, finished(0.5))
    worker.busy = False
    heard(transport, 1)
    nothing_more(transport, 8 * HEARTBEAT)


def test_a_worker_that_renews_is_kept_and_one_that_stops_is_not(transport, hand):
    worker = hand(kind=Own).keep_renewing()
    assert heard(transport, 1) == [WorkersChanged(joined=(worker.name,))]
    transport.send(order(0, 1, worker.name))
    worker.asked(0)
    nothing_more(transport, 8 * HEARTBEAT)
    worker._stop.set()
    assert heard(transport, 1) == [WorkersChanged(left=(worker.name,))]


def test_a_worker_that_was_given_up_joins_with_what_it_does(transport, hand):
    worker = hand(kind=Own)
    heard(transport, 1)
    transport.send(order(3, 2, worker.name))
    worker.asked(0)
    worker.renew()
    assert heard(transport, 1) == [WorkersChanged(left=(worker.name,))]
    worker.keep_renewing()
    attempt = Attempt(order(3).evaluation, 2)
    assert heard(transport, 1) == [WorkersChanged((worker.name,), (), {worker.name: attempt})]
    worker.answer(0, finished(0.5))
    (news,) = heard(transport, 1)
    assert (news.evaluation, news.attempt, news.loss) == (*attempt, 0.5)


def test_a_broken_connection_is_looked_into_at_once(patient, hire):
    worker = hire(patient, "w", Own)
    heard(patient, 1)
    worker.renew()
    worker.end()
    worker._kept._pyroRelease()
    assert heard(patient, 1) == [WorkersChanged(left=(worker.name,))]


def test_a_broken_connection_alone_is_no_reason_to_give_up(patient, hire):
    worker = hire(patient, "w", Own)
    heard(patient, 1)
    worker.renew()
    worker._kept._pyroRelease()
    nothing_more(patient, 1.0)
    assert worker.renew() == ""


def test_a_master_that_closes_does_not_wait_for_a_heartbeat(patient, hire):
    worker = hire(patient, "w", Own)
    heard(patient, 1)
    patient.close(dismiss=False)
    assert not patient._attendance.is_looked_after(worker.name)
    assert not worker.dismissed.is_set()


def test_an_order_that_waits_when_the_master_closes_is_not_brought(patient, hire):
    worker = hire(patient, "w", Own)
    heard(patient, 1)
    link = patient._attendance._links[worker.name]
    with link._lock:
        link.tell(OrderGiven(order(0, 1, worker.name)))
        link.tell(MasterCloses(dismiss=True))
    assert worker.dismissed.wait(LONG)
    assert worker.calls == []


def test_who_says_goodbye_has_left_at_once(patient, hire):
    worker = hire(patient, "w", Own)
    heard(patient, 1)
    with dispatcher(patient) as remote:
        remote.goodbye(worker.name)
    assert heard(patient, 1) == [WorkersChanged(left=(worker.name,))]


def test_a_busy_worker_is_not_announced_before_it_is_free(transport, hand):
    worker = hand(kind=Own, doing=f"{RUN}reply.of.long.ago").keep_renewing()
    nothing_more(transport, 8 * HEARTBEAT)
    worker._doing = ""
    assert heard(transport, 1) == [WorkersChanged(joined=(worker.name,))]


@pytest.mark.loopback
def test_a_frozen_worker_is_given_up_and_delays_nobody(transport, stock, hand):
    ((frozen,),) = [news.joined for news in heard(transport, 1)]
    assert frozen.endswith(f".{stock.pid}.stock")
    transport.send(order(0, 1, frozen))
    assert [news.loss for news in heard(transport, 1)] == [1.0]
    os.kill(stock.pid, signal.SIGSTOP)
    transport.send(order(1, 1, frozen))

    awake = hand()
    assert heard(transport, 1) == [WorkersChanged(joined=(awake.name,))]
    transport.send(order(2, 1, awake.name))
    awake.answer(0, finished(0.5))
    # The other one's result is not held up until the frozen one is given up.
    assert [news.loss for news in heard(transport, 1)] == [0.5]

    hangs, left = heard(transport, 2)
    assert (hangs.attempt, hangs.outcome) == (1, "crashed")
    assert hangs.error == "crashed its worker: its process is there, but hangs"
    assert left == WorkersChanged(left=(frozen,))
    os.kill(stock.pid, signal.SIGCONT)
    late, back = sorted(heard(transport, 2), key=lambda news: isinstance(news, WorkersChanged))
    # Too late, but still news of its own attempt: others decide.
    assert (late.evaluation, late.attempt, late.worker) == (order(1).evaluation, 1, frozen)
    assert back == WorkersChanged(joined=(frozen,))
