"""The mailbox over real Pyro4 on loopback: every message is news of exactly its attempt."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import Pyro4
import pytest
from helpers.commands import PROGRAMS

from bohb_seg.errors import ServiceError
from bohb_seg.master.transport import Terms, Transport
from bohb_seg.rpc import pyro
from bohb_seg.rpc.daemon import Daemon, serve_in_background
from bohb_seg.search.events import Evaluate, Evaluated, StopRequested, WorkersChanged
from bohb_seg.trials import Attempt, EvaluationId, TrialId

RUN = "hpbandster.run_try."
HEARTBEAT = 0.2
LONG = 30.0
"""Seconds after which a test on a busy machine gives up; none ever waits so long."""


def order(number=0, attempt=1, worker="w", budget=3.0, x=1.0):
    evaluation = EvaluationId(TrialId(0, 0, number), budget)
    return Evaluate(evaluation, attempt, worker, {"x": x})


def finished(loss, info=None):
    return {"result": {"loss": loss, "info": info or {}}, "exception": None}


# --- over the wire ----------------------------------------------------------------------------


@pytest.fixture(scope="module", autouse=True)
def wire():
    pyro.set_up_pyro()


class Drawer:
    """Stands where the storage is."""

    @Pyro4.expose
    def stored(self, folder):
        return {folder: 1}


@contextlib.contextmanager
def opened(past=None, heartbeat=HEARTBEAT, external=None, run_id="try"):
    transport = Transport(
        run_id=run_id,
        host="127.0.0.1",
        port=0,
        external=external,
        working_directory="/nowhere",
        heartbeat=heartbeat,
    )
    transport.bind()
    facts = {"version": "1.0", "fingerprint": "a" * 32}
    transport.serve(Terms({"patch_size": 64}, "token", facts), Drawer(), past)
    until(lambda: f"{run_id}.dispatcher" in str(names(transport)))
    try:
        yield transport
    finally:
        transport.close(dismiss=True)


@pytest.fixture
def transport():
    with opened() as transport:
        yield transport


@pytest.fixture
def patient():
    """A transport whose leases outlast every test: what is noticed is noticed otherwise."""
    with opened(heartbeat=LONG) as transport:
        yield transport


@pytest.fixture(scope="module")
def alone():
    """A transport for tests without a worker."""
    with opened() as transport:
        yield transport


class Hand:
    """A stock worker moved by the test: HpBandSter's contract, every answer is given by hand."""

    def __init__(self, transport, name, doing=""):
        self.transport, self.name = transport, f"{RUN}worker.{name}"
        self.calls, self.busy, self._doing = [], False, doing
        self.dismissed, self._kept = threading.Event(), None
        self._answers = ThreadPoolExecutor()
        self._daemon = Daemon("127.0.0.1", admits=("master",))
        self.uri = self._daemon.register(self, self.name)
        serve_in_background(self._daemon, name)
        self.register()

    def register(self):
        with pyro.nameserver(*self.transport.nameserver) as names:
            names.register(self.name, self.uri)
        look(self.transport)

    @Pyro4.expose
    def is_busy(self):
        return self.busy

    @Pyro4.expose
    @Pyro4.oneway
    def start_computation(self, callback, id, **job):
        self.busy, self._doing = True, callback._pyroUri.object
        self.calls.append((str(callback._pyroUri), tuple(id), job))

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

    def answer(self, number, message) -> Future:
        """Offers a result; done when the master says that it is recorded."""
        address, trial, _ = self.asked(number)
        return self._answers.submit(offer, address, trial, message)


class Own(Hand):
    """One of our workers, moved by the test: it tells what it does and renews its lease."""

    @Pyro4.expose
    def doing(self):
        return self._doing

    def renew(self):
        self._kept = self._kept or dispatcher(self.transport)
        return self._kept.renew(self.name, self._doing)

    def keep_renewing(self):
        """Renews until the worker is ended."""
        self._stop = threading.Event()
        threading.Thread(target=self._renewing, daemon=True).start()
        return self

    def _renewing(self):
        with dispatcher(self.transport) as remote:
            while not self._stop.wait(HEARTBEAT / 4):
                if remote.renew(self.name, self._doing) == "unknown":
                    self.register()

    def end(self):
        if hasattr(self, "_stop"):
            self._stop.set()
        super().end()


def offer(address, trial, message):
    with pyro.proxy(address, timeout=LONG) as reply:
        reply.register_result(trial, message)


@pytest.fixture
def hire():
    """Makes workers, and ends them."""
    made = []

    def make(transport, name="hand", kind=Hand, doing=""):
        made.append(kind(transport, name, doing))
        return made[-1]

    yield make
    for worker in made:
        worker.end()


@pytest.fixture
def hand(transport, hire):
    return lambda name="hand", kind=Hand, doing="": hire(transport, name, kind, doing)


def look(transport):
    with dispatcher(transport) as remote:
        remote.trigger_discover_worker()


def dispatcher(transport, run_id="try"):
    with pyro.nameserver(*transport.nameserver) as names:
        return pyro.proxy(names.lookup(f"hpbandster.run_{run_id}.dispatcher"))


def names(transport):
    with pyro.nameserver(*transport.nameserver) as nameserver:
        return nameserver.list()


def known(transport):
    return {name for name in names(transport) if name.startswith(f"{RUN}worker.")}


def until(condition):
    deadline = time.monotonic() + LONG
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def heard(transport, count):
    """The next ``count`` pieces of news; results are recorded, as the master does."""
    news, deadline = [], time.monotonic() + LONG
    while len(news) < count and time.monotonic() < deadline:
        news += transport.receive(0.2)
    for item in news:
        if isinstance(item, Evaluated):
            transport.recorded(item)
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


def test_a_doubled_message_is_refused(transport, hand):
    worker = hand()
    heard(transport, 1)
    transport.send(order(0, 1, worker.name))
    first = worker.answer(0, finished(0.25))
    assert [news.loss for news in heard(transport, 1)] == [0.25]
    assert first.result(LONG) is None
    with pytest.raises(Pyro4.errors.CommunicationError, match="unknown object"):
        worker.answer(0, finished(-1.0)).result(LONG)
    nothing_more(transport)


def test_a_late_message_is_news_of_its_own_attempt(transport, hand):
    worker = hand()
    heard(transport, 1)
    for attempt, budget in ((1, 3.0), (2, 3.0), (1, 9.0)):
        transport.send(order(0, attempt, worker.name, budget))
    for number in (2, 1, 0):
        worker.answer(number, finished(float(number)))
    told = {(n.evaluation.budget, n.attempt, n.loss) for n in heard(transport, 3)}
    assert told == {(9.0, 1, 2.0), (3.0, 2, 1.0), (3.0, 1, 0.0)}


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
            remote.terms()


def test_a_worker_is_told_the_settings_of_the_run(alone):
    with dispatcher(alone) as remote:
        assert remote.terms() == {
            "settings": {"patch_size": 64},
            "heartbeat": HEARTBEAT,
            "token": "token",
        }


def test_a_worker_with_other_data_is_refused(alone):
    with dispatcher(alone) as remote:
        assert remote.hello("w", {"version": "1.0", "fingerprint": "a" * 32}) == ""
        assert remote.hello("w", {"fingerprint": "b" * 32}).startswith("its data (bbbbbbbbbbbb)")


def test_the_storage_is_served_beside_the_dispatcher(alone):
    address = dispatcher(alone)._pyroUri.location
    with pyro.proxy(f"PYRO:{RUN}storage@{address}") as storage:
        assert storage.stored("x") == {"x": 1}


def test_a_name_that_never_answers_is_removed_with_a_complaint(alone, caplog):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        dead = f"{RUN}worker.dead"
        with pyro.nameserver(*alone.nameserver) as names:
            names.register(dead, f"PYRO:{dead}@127.0.0.1:{probe.getsockname()[1]}")
        look(alone)
        until(lambda: dead not in known(alone))
    nothing_more(alone)
    assert f"worker {dead} does not answer at 127.0.0.1:" in caplog.text


def test_a_worker_that_ends_is_reported_once_and_may_come_back(transport, hand):
    worker = hand()
    assert heard(transport, 1) == [WorkersChanged(joined=(worker.name,))]
    worker.end()
    assert heard(transport, 1) == [WorkersChanged(left=(worker.name,))]
    until(lambda: worker.name not in known(transport))
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


def test_a_nameserver_that_is_not_there_is_one_sentence():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        place = probe.getsockname()
        with pytest.raises(ServiceError, match=f"{place[0]}:{place[1]} does not answer .*--names"):
            elsewhere(external=place).bind()
        elsewhere(external=place).bind(resuming=True)  # it was there before, and will be back


def test_a_second_master_of_the_same_run_is_refused(alone):
    until(lambda: dispatcher(alone))
    with pytest.raises(ServiceError, match="a master already serves this run at "):
        elsewhere(run_id="try", external=alone.nameserver).bind()


def test_two_runs_on_one_nameserver_do_not_see_each_other(alone, hire):
    with opened(run_id="other", external=alone.nameserver) as other:
        hire(alone, "mine")
        assert heard(alone, 1)[0].joined == (f"{RUN}worker.mine",)
        nothing_more(other)
        assert dispatcher(alone)._pyroUri.location != dispatcher(other, "other")._pyroUri.location


def test_news_of_the_masters_own_come_in_their_turn(alone):
    alone.post(StopRequested("a"))
    alone.post(StopRequested("b"))
    assert [news.reason for news in heard(alone, 2)] == ["a", "b"]


# --- results are kept until they are recorded -------------------------------------------------


def test_a_worker_is_answered_when_its_result_is_recorded(transport, hand):
    worker = hand()
    heard(transport, 1)
    transport.send(order(0, 1, worker.name))
    answer = worker.answer(0, finished(0.5))
    (news,) = transport.receive(LONG)
    assert not answer.done()
    transport.recorded(news)
    assert answer.result(LONG) is None


def test_a_result_that_is_not_recorded_in_time_is_offered_again(transport, hand, monkeypatch):
    monkeypatch.setattr("bohb_seg.master.reply.RECORDED_WITHIN", 0.1)
    worker = hand()
    heard(transport, 1)
    transport.send(order(0, 1, worker.name))
    with pytest.raises(TimeoutError, match="not on the master's disk yet"):
        worker.answer(0, finished(0.5)).result(LONG)
    (news,) = transport.receive(LONG)
    transport.recorded(news)
    nothing_more(transport)


# --- leases -----------------------------------------------------------------------------------


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


def test_who_says_goodbye_has_left_at_once(patient, hire):
    worker = hire(patient, "w", Own)
    heard(patient, 1)
    with dispatcher(patient) as remote:
        remote.goodbye(worker.name)
    assert heard(patient, 1) == [WorkersChanged(left=(worker.name,))]


def test_a_renewal_is_answered_with_what_the_master_knows(patient, hire):
    worker = hire(patient, "w", Own)
    heard(patient, 1)
    with dispatcher(patient) as remote:
        assert remote.renew(f"{RUN}worker.nobody", "") == "unknown"
        assert remote.renew(worker.name, "") == ""
        patient.send(order(0, 1, worker.name))
        reply = worker.asked(0)[0].partition(":")[2].partition("@")[0]
        assert remote.renew(worker.name, reply) == ""
        patient.settled(order(0).evaluation)
        assert remote.renew(worker.name, reply) == "unwanted"
        assert remote.renew(worker.name, f"{RUN}reply.of.another.run") == "unwanted"


def test_a_busy_worker_is_not_announced_before_it_is_free(transport, hand):
    worker = hand(kind=Own, doing=f"{RUN}reply.of.long.ago").keep_renewing()
    nothing_more(transport, 8 * HEARTBEAT)
    worker._doing = ""
    assert heard(transport, 1) == [WorkersChanged(joined=(worker.name,))]


# --- after the master was killed --------------------------------------------------------------


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
        address = transport.reply_address(past)
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
        transport.send(order(1, 4, f"{RUN}worker.elsewhere"))
        worker = hire(transport, "w", Own, f"{RUN}reply.0-0-1.3.4").keep_renewing()
        assert heard(transport, 2) == [
            WorkersChanged(left=(worker.name,)),
            WorkersChanged((worker.name,), (), {worker.name: Attempt(order(1).evaluation, 4)}),
        ]


def test_a_result_and_the_next_order_may_come_before_the_worker_is_met(hire):
    past = order(0, 1, f"{RUN}worker.w")
    with opened({past.worker: past}, heartbeat=LONG) as transport:
        address = transport.reply_address(past)
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


# --- a frozen worker --------------------------------------------------------------------------


@pytest.fixture
def stock(transport, tmp_path):
    """An unmodified HpBandSter worker in a process of its own."""
    host, port = transport.nameserver
    code = PROGRAMS / "stock.py"
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
    os.kill(stock.pid, signal.SIGCONT)
    late, back = sorted(heard(transport, 2), key=lambda news: isinstance(news, WorkersChanged))
    # Too late, but still news of its own attempt: others decide.
    assert (late.evaluation, late.attempt, late.worker) == (order(1).evaluation, 1, frozen)
    assert back == WorkersChanged(joined=(frozen,))
