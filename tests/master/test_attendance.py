"""Workers of the previous master come back, with or without what they were doing."""

import contextlib
from concurrent.futures import ThreadPoolExecutor

from helpers.mailbox import (
    HEARTBEAT,
    LONG,
    RUN,
    Own,
    finished,
    heard,
    nothing_more,
    offer,
    opened,
    order,
)

from bohb_seg.search.events import WorkersChanged
from bohb_seg.trials import Attempt


def resumed(hire, doing, past):
    """A transport that resumes, and the worker it had, which does ``doing``."""
    stack = contextlib.ExitStack()
    transport = stack.enter_context(opened({f"{RUN}worker.w": past}))
    return stack, transport, hire(transport, "w", Own, doing).keep_renewing()


def test_a_worker_that_is_still_at_it_goes_on(hire):
    past = order(0, 1, f"{RUN}worker.w")
    stack, transport, worker = resumed(hire, f"{RUN}reply.0-0-0.3.1", past)
    with stack:
        nothing_more(transport, 6 * HEARTBEAT)
        address = transport._replies.address(past)
        worker._answers.submit(offer, address, past.evaluation.trial, finished(0.5))
        (news,) = heard(transport, 1)
        assert (news.evaluation, news.attempt, news.worker) == (past.evaluation, 1, worker.name)
        assert worker.calls == []


def test_an_order_that_was_never_brought_is_brought_now(hire):
    past = order(0, 1, f"{RUN}worker.w")
    stack, transport, worker = resumed(hire, "", past)
    with stack:
        assert worker.asked(0)[1] == (0, 0, 0)
        nothing_more(transport)


def test_an_idle_worker_stays_idle(hire):
    stack, transport, worker = resumed(hire, "", None)
    with stack:
        nothing_more(transport, 6 * HEARTBEAT)
        transport.send(order(1, 1, worker.name))
        assert worker.asked(0)[1] == (0, 0, 1)


def test_a_worker_that_offers_what_is_recorded_gets_its_order_afterwards(hire):
    past = order(0, 1, f"{RUN}worker.w")
    stack, transport, worker = resumed(hire, f"{RUN}reply.of.long.ago", past)
    with stack:
        nothing_more(transport, 6 * HEARTBEAT)
        worker._doing = ""
        assert worker.asked(0)[1] == (0, 0, 0)
        nothing_more(transport)


def test_a_worker_that_is_still_at_another_attempt_left_and_joins_with_it(hire):
    past = order(0, 1, f"{RUN}worker.w")
    with opened({f"{RUN}worker.w": past}) as transport:
        transport._replies.open(order(1, 4, f"{RUN}worker.w"))
        worker = hire(transport, "w", Own, f"{RUN}reply.0-0-1.3.4").keep_renewing()
        assert heard(transport, 2) == [
            WorkersChanged(left=(worker.name,)),
            WorkersChanged((worker.name,), (), {worker.name: Attempt(order(1).evaluation, 4)}),
        ]


def test_a_result_and_the_next_order_may_come_before_the_worker_is_met(hire):
    past = order(0, 1, f"{RUN}worker.w")
    with opened({past.worker: past}, heartbeat=LONG) as transport:
        address = transport._replies.address(past)
        with ThreadPoolExecutor() as pool:
            offered = pool.submit(offer, address, past.evaluation.trial, finished(0.5))
            (news,) = transport.receive(LONG)
            transport.settled(news.evaluation)
            transport.send(order(1, 1, past.worker))
            transport.recorded(news)
            assert offered.result(LONG) is None
        worker = hire(transport, "w", Own)
        assert worker.asked(0)[1] == (0, 0, 1)
        nothing_more(transport, 0.5)


def test_a_worker_that_does_not_come_back_has_left():
    name = f"{RUN}worker.w"
    with opened({name: order(0, 1, name)}) as transport:
        assert heard(transport, 1) == [WorkersChanged(left=(name,))]
