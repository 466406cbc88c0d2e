"""A transport over real Pyro4 on loopback, and workers that the test moves by hand."""

import contextlib
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor

import Pyro4

from bohb_seg.master.dispatcher import Terms
from bohb_seg.master.transport import Transport
from bohb_seg.rpc import names, pyro
from bohb_seg.rpc.daemon import Daemon, serve_in_background
from bohb_seg.search.events import Evaluate, Evaluated
from bohb_seg.trials import EvaluationId, TrialId

RUN = names.prefix("try")
HEARTBEAT = 0.2
LONG = 30.0
"""Seconds after which a test on a busy machine gives up; none ever waits so long."""


def order(number=0, attempt=1, worker="w", budget=3.0, x=1.0):
    evaluation = EvaluationId(TrialId(0, 0, number), budget)
    return Evaluate(evaluation, attempt, worker, {"x": x})


def finished(loss, info=None):
    return {"result": {"loss": loss, "info": info or {}}, "exception": None}


class Drawer:
    """Stands where the storage is."""

    @Pyro4.expose
    def stored(self, folder):
        return {folder: 1}


@contextlib.contextmanager
def opened(past=None, heartbeat=HEARTBEAT, external=None, run_id="try", minutes=None):
    transport = Transport(
        run_id=run_id,
        host="127.0.0.1",
        port=0,
        external=external,
        working_directory="/nowhere",
        heartbeat=heartbeat,
        minutes=minutes,
    )
    transport.bind()
    facts = {"version": "1.0", "fingerprint": "a" * 32}
    transport.serve(Terms({"patch_size": 64}, heartbeat, "token", facts), Drawer(), past)
    until(lambda: names.dispatcher_name(run_id) in registered(transport))
    try:
        yield transport
    finally:
        transport.close(dismiss=True)


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
        with pyro.nameserver(*self.transport.nameserver) as nameserver:
            nameserver.register(self.name, self.uri)
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


def look(transport):
    with dispatcher(transport) as remote:
        remote.trigger_discover_worker()


def dispatcher(transport, run_id="try"):
    with pyro.nameserver(*transport.nameserver) as nameserver:
        return pyro.proxy(nameserver.lookup(names.dispatcher_name(run_id)))


def registered(transport):
    with pyro.nameserver(*transport.nameserver) as nameserver:
        return nameserver.list()


def known(transport):
    return set(filter(names.is_worker, registered(transport)))


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
