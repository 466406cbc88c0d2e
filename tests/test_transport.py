"""The mailbox over real Pyro4 on loopback: every message is news of exactly its attempt."""

import contextlib
import math
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import Pyro4
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bohb_seg import security
from bohb_seg.errors import ServiceError
from bohb_seg.transport import Transport, _as_news
from bohb_seg.trials import (
    Evaluate,
    Evaluated,
    EvaluationId,
    StopRequested,
    TrialId,
    WorkersChanged,
)

RUN = "hpbandster.run_try."
HEARTBEAT = 0.2
LONG = 30.0
"""Seconds after which a test on a busy machine gives up; none ever waits so long."""

# --- what a message means ---------------------------------------------------------------------


def order(number=0, attempt=1, worker="w", budget=3.0, x=1.0):
    evaluation = EvaluationId(TrialId(0, 0, number), budget)
    return Evaluate(evaluation, attempt, worker, {"x": x})


def meant(message):
    news = _as_news(order(7, attempt=2), message)
    assert (news.evaluation, news.attempt, news.worker) == (order(7).evaluation, 2, "w")
    return news.outcome, news.loss, news.info, news.error


def finished(loss, info=None):
    return {"result": {"loss": loss, "info": info or {}}, "exception": None}


@pytest.mark.parametrize("loss", [0.5, 1, np.float32(0.5), np.int64(3), np.array(0.25), True])
def test_a_number_is_a_loss(loss):
    outcome, found, _, error = meant(finished(loss))
    assert (outcome, found, error) == ("finished", float(loss), None)
    assert type(found) is float


@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf, np.float32("nan")])
def test_a_loss_that_is_not_finite_diverged(loss):
    told = f"the loss became {float(loss)}"
    assert meant(finished(loss, {"epochs": 2})) == ("diverged", None, {"epochs": 2}, told)


@pytest.mark.parametrize("loss", ["low", None, [0.5, 0.5], {"value": 0.5}, np.zeros(2), 1j])
def test_a_loss_that_is_no_number_crashed(loss):
    assert meant(finished(loss)) == (
        "crashed",
        None,
        {},
        "the worker's result has no numeric 'loss'",
    )


def test_a_loss_beyond_all_numbers_crashed():
    assert meant(finished(10**400))[0] == "crashed"


@pytest.mark.parametrize("result", [{}, {"info": {}}, [0.5], "0.5", 0.5, 0])
def test_a_result_without_a_loss_crashed(result):
    told = "the worker's result has no numeric 'loss'"
    assert meant({"result": result, "exception": None}) == ("crashed", None, {}, told)


@pytest.mark.parametrize("message", [None, 0.5, "done", [], [finished(0.5)]])
def test_a_message_that_is_no_table_crashed(message):
    told = f"the worker sent no result but {type(message).__name__}"
    assert meant(message) == ("crashed", None, {}, told)


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ({"result": None, "exception": "Traceback: no memory"}, "Traceback: no memory"),
        ({"result": None, "exception": None}, "the worker gave no reason"),
        ({"result": None}, "the worker gave no reason"),
        ({}, "the worker gave no reason"),
        ({"result": None, "exception": ["a", 1]}, "['a', 1]"),
    ],
)
def test_an_exception_crashed_with_its_text(message, told):
    assert meant(message) == ("crashed", None, {}, told)


@pytest.mark.parametrize(
    ("info", "kept"),
    [
        (
            {"iou": np.float32(0.5), "curve": np.array([1.0, np.nan])},
            {"iou": 0.5, "curve": [1, None]},
        ),
        ({1: "a"}, {"1": "a"}),
        ("fine", {"value": "fine"}),
        (None, {"value": None}),
        ([1, 2], {"value": [1, 2]}),
    ],
)
def test_info_is_made_a_plain_table(info, kept):
    assert meant({"result": {"loss": 0.5, "info": info}}) == ("finished", 0.5, kept, None)


def test_info_may_be_left_out():
    assert meant({"result": {"loss": 0.5}}) == ("finished", 0.5, {}, None)


anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["result", "loss", "info", "exception", "x"]), inner, max_size=4
        )
    ),
    max_leaves=8,
)


@settings(deadline=None)
@given(anything)
def test_whatever_comes_is_news_of_its_attempt(message):
    outcome, loss, info, _ = meant(message)
    assert (outcome == "finished") == (loss is not None)
    assert isinstance(info, dict)


# --- over the wire ----------------------------------------------------------------------------


@pytest.fixture(scope="module", autouse=True)
def pyro():
    security.set_up_pyro()


@contextlib.contextmanager
def opened():
    transport = Transport(
        run_id="try",
        host="127.0.0.1",
        port=0,
        external=None,
        working_directory="/nowhere",
        heartbeat=HEARTBEAT,
        settings={"patch_size": 64},
        fingerprint="a" * 32,
    )
    transport.open()
    try:
        yield transport
    finally:
        transport.close(dismiss=True)


@pytest.fixture
def transport():
    with opened() as transport:
        yield transport


@pytest.fixture(scope="module")
def alone():
    """A transport for tests without a worker."""
    with opened() as transport:
        yield transport


class Hand:
    """A worker moved by the test: HpBandSter's contract, but every answer is given by hand."""

    def __init__(self, transport, name):
        self.name, self.calls, self.busy = f"{RUN}worker.{name}", [], True
        self.dismissed = threading.Event()
        self._daemon = Pyro4.Daemon(host="127.0.0.1")
        self._uri = self._daemon.register(self, self.name)
        threading.Thread(target=self._daemon.requestLoop, daemon=True).start()
        with security.nameserver(*transport.nameserver) as names:
            names.register(self.name, self._uri)
        look(transport)

    @Pyro4.expose
    def is_busy(self):
        return self.busy

    @Pyro4.expose
    @Pyro4.oneway
    def start_computation(self, callback, id, **job):
        self.calls.append((callback._pyroUri, tuple(id), job))

    @Pyro4.expose
    @Pyro4.oneway
    def shutdown(self):
        self.dismissed.set()

    def end(self):
        self._daemon.shutdown()

    def asked(self, number):
        """The ``number``-th order, waiting for it: (address of the reply, trial, job)."""
        until(lambda: len(self.calls) > number)
        return self.calls[number]

    def answer(self, number, message):
        address, trial, _ = self.asked(number)
        with security.proxy(address) as reply:
            reply.register_result(trial, message)


@pytest.fixture
def hand(transport):
    made = []

    def make(name="hand"):
        made.append(Hand(transport, name))
        return made[-1]

    yield make
    for worker in made:
        worker.end()


def look(transport):
    with dispatcher(transport) as remote:
        remote.trigger_discover_worker()


def dispatcher(transport):
    with security.nameserver(*transport.nameserver) as names:
        return security.proxy(names.lookup(f"{RUN}dispatcher"))


def known(transport):
    with security.nameserver(*transport.nameserver) as names:
        return set(names.list(prefix=f"{RUN}worker."))


def until(condition):
    deadline = time.monotonic() + LONG
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def heard(transport, count):
    """The next ``count`` pieces of news."""
    news, deadline = [], time.monotonic() + LONG
    while len(news) < count and time.monotonic() < deadline:
        news += transport.receive(0.2)
    assert len(news) == count, news
    return news


def nothing_more(transport, seconds=3 * HEARTBEAT):
    assert transport.receive(seconds) == []


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
    first.answer(0, finished(0.75))
    assert heard(transport, 2) == [
        Evaluated(orders[1].evaluation, 2, second.name, "finished", 0.25, {"miou": 0.5}),
        Evaluated(orders[0].evaluation, 1, first.name, "finished", 0.75),
    ]


def test_a_doubled_message_is_refused(transport, hand):
    worker = hand()
    heard(transport, 1)
    transport.send(order(0, 1, worker.name))
    worker.answer(0, finished(0.25))
    with pytest.raises(Pyro4.errors.CommunicationError, match="unknown object"):
        worker.answer(0, finished(-1.0))
    assert [news.loss for news in heard(transport, 1)] == [0.25]
    nothing_more(transport)


def test_a_late_message_is_news_of_its_own_attempt(transport, hand):
    worker = hand()
    heard(transport, 1)
    for attempt, budget in ((1, 3.0), (2, 3.0), (1, 9.0)):
        transport.send(order(0, attempt, worker.name, budget))
    for number in (2, 1, 0):
        worker.answer(number, finished(float(number)))
    told = [(n.evaluation.budget, n.attempt, n.loss) for n in heard(transport, 3)]
    assert told == [(9.0, 1, 2.0), (3.0, 2, 1.0), (3.0, 1, 0.0)]


def test_a_result_for_nobody_is_dropped(alone):
    with dispatcher(alone) as remote:
        remote.register_result([0, 0, 0], finished(0.5))
    nothing_more(alone)


def test_a_malformed_message_crashed_its_attempt(transport, hand):
    worker = hand()
    heard(transport, 1)
    transport.send(order(3, 1, worker.name))
    worker.answer(0, "done")
    (news,) = heard(transport, 1)
    assert (news.evaluation.trial.number, news.attempt, news.outcome) == (3, 1, "crashed")


def test_numpy_in_an_order_reaches_the_worker_as_plain_numbers(transport, hand):
    worker = hand()
    heard(transport, 1)
    transport.send(order(0, 1, worker.name, x=np.int64(3)))
    assert worker.asked(0)[2]["config"] == {"x": 3}
    worker.answer(0, finished(0.5))


@pytest.mark.parametrize("serializer", ["pickle", "marshal", "json"])
def test_only_serpent_is_understood(alone, serializer):
    with dispatcher(alone) as remote:
        remote._pyroSerializer = serializer
        with pytest.raises(
            Pyro4.errors.CommunicationError, match="serializer that is not accepted"
        ):
            remote.settings()


def test_a_worker_is_told_the_settings_of_the_run(alone):
    with dispatcher(alone) as remote:
        assert remote.settings() == {"patch_size": 64}


@pytest.mark.parametrize(
    ("facts", "refusal"),
    [
        ({"fingerprint": "a" * 32}, ""),
        ({"fingerprint": ""}, ""),
        ({}, ""),
        (
            {"fingerprint": "b" * 32},
            "its data (bbbbbbbbbbbb) is not the run's (aaaaaaaaaaaa)",
        ),
    ],
)
def test_a_worker_with_other_data_is_refused(alone, facts, refusal):
    with dispatcher(alone) as remote:
        assert remote.hello("w", facts) == refusal


def test_a_name_that_never_answers_is_removed(alone):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        dead = f"{RUN}worker.dead"
        with security.nameserver(*alone.nameserver) as names:
            names.register(dead, f"PYRO:{dead}@127.0.0.1:{probe.getsockname()[1]}")
        look(alone)
        until(lambda: dead not in known(alone))
    nothing_more(alone)


def test_a_worker_that_ends_is_reported_once_and_may_come_back(transport, hand):
    worker = hand()
    assert heard(transport, 1) == [WorkersChanged(joined=(worker.name,))]
    worker.end()
    assert heard(transport, 1) == [WorkersChanged(left=(worker.name,))]
    assert worker.name not in known(transport)
    nothing_more(transport)
    again = hand()
    assert heard(transport, 1) == [WorkersChanged(joined=(again.name,))]


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
    worker.busy = False
    heard(transport, 1)
    transport.send(order(0, 1, worker.name))
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


def test_closing_tells_workers_that_nothing_is_left(transport, hand):
    worker = hand()
    heard(transport, 1)
    transport.close(dismiss=True)
    assert worker.dismissed.wait(LONG)


def test_a_port_in_use_is_one_sentence(alone):
    host, port = alone.nameserver
    second = Transport(
        **{"run_id": "b", "host": host, "port": port, "external": None, "settings": {}},
        **{"working_directory": "", "heartbeat": 1, "fingerprint": ""},
    )
    with pytest.raises(
        ServiceError, match=f"cannot serve on {host}:{port} .* choose another --port"
    ):
        second.open()


def test_a_nameserver_that_is_not_there_is_one_sentence():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        place = probe.getsockname()
        lost = Transport(
            **{"run_id": "b", "host": "127.0.0.1", "port": 0, "external": place, "settings": {}},
            **{"working_directory": "", "heartbeat": 1, "fingerprint": ""},
        )
        with pytest.raises(ServiceError, match=f"{place[0]}:{place[1]} does not answer .*--names"):
            lost.open()


def test_news_of_the_masters_own_come_in_their_turn(alone):
    alone.post(StopRequested("a"))
    alone.post(StopRequested("b"))
    assert [news.reason for news in heard(alone, 2)] == ["a", "b"]


# --- a frozen worker --------------------------------------------------------------------------


@pytest.fixture
def stock(transport, tmp_path):
    """An unmodified HpBandSter worker in a process of its own."""
    host, port = transport.nameserver
    code = Path(__file__).parent / "loopback/stock.py"
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, str(code), "worker", "try", host, str(port), "127.0.0.1"],
            stdout=log,
            stderr=log,
        )
    yield process
    process.kill()
    process.wait()


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

    assert heard(transport, 1) == [WorkersChanged(left=(frozen,))]
    assert frozen not in known(transport)

    os.kill(stock.pid, signal.SIGCONT)
    (late,) = heard(transport, 1)  # too late, but still news of its own attempt: others decide
    assert (late.evaluation, late.attempt, late.worker) == (order(1).evaluation, 1, frozen)
