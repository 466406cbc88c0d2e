"""The mailbox over real Pyro4 on loopback: news in, orders out."""

import numpy as np
import pytest
from helpers.mailbox import LONG, RUN, Own, dispatcher, finished, heard, nothing_more, opened, order

from bohb_seg.errors import ServiceError
from bohb_seg.master.transport import Transport
from bohb_seg.rpc import pyro
from bohb_seg.search.events import Evaluated, StopRequested


def test_an_order_reaches_its_worker_and_the_result_its_attempt(transport, hand):
    first, second = hand("a"), hand("b")
    joined = {name for news in heard(transport, 2) for name in news.joined}
    assert joined == {first.name, second.name}
    orders = order(0, 1, first.name, x=0.5), order(1, 2, second.name, budget=9.0)
    for sent in orders:
        transport.send(sent)
    _, trial, job = second.asked(0)
    assert trial == (0, 0, 1)
    assert job == {"config": {"x": 1.0}, "budget": 9.0, "working_directory": "/nowhere"}
    second.answer(0, finished(0.25, {"miou": 0.5}))
    assert heard(transport, 1) == [
        Evaluated(orders[1].evaluation, 2, second.name, "finished", 0.25, {"miou": 0.5})
    ]
    first.answer(0, finished(0.75))
    assert heard(transport, 1) == [Evaluated(orders[0].evaluation, 1, first.name, "finished", 0.75)]


def test_what_fits_into_memory_is_told_to_our_workers_only(transport, hand):
    own, stock = hand("own", Own), hand("stock")
    own.keep_renewing()
    heard(transport, 2)
    attempt = order(0, 1, own.name)
    for fits in 8, 4, 6:
        info = {"micro_batches": {"gpu | unet-64": fits}}
        transport.learn(Evaluated(attempt.evaluation, 1, own.name, "finished", loss=0.5, info=info))
    for sent in attempt, order(1, 1, stock.name):
        transport.send(sent)
    assert own.asked(0)[2]["micro_batches"] == {"gpu | unet-64": 4}
    assert "micro_batches" not in stock.asked(0)[2]


def test_numpy_in_an_order_reaches_the_worker_as_plain_numbers(transport, hand):
    worker = hand()
    heard(transport, 1)
    transport.send(order(0, 1, worker.name, x=np.int64(3)))
    assert worker.asked(0)[2]["config"] == {"x": 3}
    worker.answer(0, finished(0.5))


def test_the_storage_is_served_beside_the_dispatcher(alone):
    address = dispatcher(alone)._pyroUri.location
    with pyro.proxy(f"PYRO:{RUN}storage@{address}") as storage:
        assert storage.stored("x") == {"x": 1}


def test_news_of_the_masters_own_come_in_their_turn(alone):
    alone.post(StopRequested("a"))
    alone.post(StopRequested("b"))
    assert [news.reason for news in heard(alone, 2)] == ["a", "b"]


def test_closing_tells_workers_that_nothing_is_left(transport, hand):
    worker = hand()
    heard(transport, 1)
    transport.close(dismiss=True)
    assert worker.dismissed.wait(LONG)


def elsewhere(**changed):
    usual = {"run_id": "b", "host": "127.0.0.1", "port": 0, "external": None}
    return Transport(**usual | changed, working_directory="", heartbeat=1)


def test_a_port_in_use_is_one_sentence(alone):
    host, port = alone.nameserver
    with pytest.raises(
        ServiceError, match=f"cannot serve on {host}:{port} .* choose another --port"
    ):
        elsewhere(port=port).bind()


def test_two_runs_on_one_nameserver_do_not_see_each_other(alone, hire):
    with opened(run_id="other", external=alone.nameserver) as other:
        hire(alone, "mine")
        assert heard(alone, 1)[0].joined == (f"{RUN}worker.mine",)
        nothing_more(other)
        assert dispatcher(alone)._pyroUri.location != dispatcher(other, "other")._pyroUri.location
