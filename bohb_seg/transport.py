"""HpBandSter's nameserver and dispatcher contracts as a mailbox: news in, orders out.

Rules of this file:

* Callbacks do nothing but put news into one queue; nothing is decided here.
* Every remote call has a timeout and none is made under a lock. Each worker has a thread of its
  own (:class:`_Courier`), so that a frozen worker delays nobody else.
* Each attempt has a remote object of its own (:class:`_Reply`) that the worker calls back. A late
  or doubled message therefore can never be booked under another attempt or budget, also from
  stock HpBandSter workers, whose results name only the trial.
"""

import logging
import math
import queue
import threading
from collections.abc import Callable, Mapping
from typing import Any

import Pyro4
import Pyro4.naming

from bohb_seg import security
from bohb_seg.errors import ServiceError
from bohb_seg.trials import Evaluate, Evaluated, News, WorkersChanged

MISSES_UNTIL_LOST = 3
"""Looks in a row that a worker may leave unanswered before its evaluation is handed on."""
IDLE_LOOKS_UNTIL_LOST = 3
"""Looks in a row at which a worker may say it is idle while we wait for its result."""

Post = Callable[[News], None]

_log = logging.getLogger(__name__)


class Transport:
    """The master's side of the wire.

    Args:
        run_id: Names the dispatcher and its workers in the nameserver.
        host: Address to serve on.
        port: Port of the nameserver; 0 takes any free one.
        external: ``(host, port)`` of a nameserver that already runs, instead of an own one.
        working_directory: What every evaluation gets as its ``working_directory``.
        heartbeat: Seconds between two looks at each worker.
        settings: What workers of ours are told when they ask for the run's settings.
        fingerprint: Workers that tell another data fingerprint are refused; "" accepts all.
    """

    def __init__(
        self,
        *,
        run_id: str,
        host: str,
        port: int,
        external: tuple[str, int] | None,
        working_directory: str,
        heartbeat: float,
        settings: Mapping[str, Any],
        fingerprint: str,
    ) -> None:
        self._prefix = f"hpbandster.run_{run_id}."
        self._host, self._port, self._external = host, port, external
        self._working_directory = working_directory
        self._heartbeat = heartbeat
        self._news: queue.Queue[News] = queue.Queue()
        self._couriers: dict[str, _Courier] = {}
        self._look = threading.Event()
        self._closing = threading.Event()
        self._dispatcher = _Dispatcher(settings, fingerprint, self._look.set)
        self.nameserver = external or (host, port)

    def open(self) -> None:
        """Starts nameserver and dispatcher.

        Raises:
            ServiceError: the port is in use, or the nameserver does not answer.
        """
        security.set_up_pyro()
        if self._external is None:
            self._start_nameserver()
        try:
            self._daemon = Pyro4.Daemon(host=self._host)
            uri = self._daemon.register(self._dispatcher, f"{self._prefix}dispatcher")
            with security.nameserver(*self.nameserver) as names:
                names.register(f"{self._prefix}dispatcher", uri)
        except (Pyro4.errors.PyroError, OSError) as error:
            host, port = self.nameserver
            raise ServiceError(
                f"the nameserver {host}:{port} does not answer ({error}); check --nameserver"
            ) from None
        self._in_background(self._daemon.requestLoop, "dispatcher")
        self._in_background(self._discover, "discovery")

    def receive(self, timeout: float) -> list[News]:
        """All news there are; waits up to ``timeout`` seconds for the first."""
        try:
            news = [self._news.get(timeout=timeout)]
        except queue.Empty:
            return []
        while not self._news.empty():
            news.append(self._news.get())
        return news

    def post(self, news: News) -> None:
        """Adds news of the master's own, e.g. that it was asked to stop."""
        self._news.put(news)

    def send(self, order: Evaluate) -> None:
        """Hands an evaluation to its worker.

        If the worker is gone, the news that say so are under way already: its courier posted them.
        """
        courier = self._couriers[order.worker]
        reply = _Reply(order, self._result_of(courier))
        uri = self._daemon.register(reply, f"{self._prefix}reply.{_name(order)}")
        courier.take(order, uri)

    def close(self, dismiss: bool) -> None:
        """Closes everything; with ``dismiss`` workers are told that nothing is left to do."""
        self._closing.set()
        self._look.set()
        couriers = list(self._couriers.values())
        for courier in couriers:
            courier.leave(dismiss)
        for courier in couriers:
            courier.join(security.CALL_TIMEOUT)
        self._forget(f"{self._prefix}dispatcher")
        self._daemon.shutdown()
        if self._external is None:
            self._nameserver.shutdown()

    def _start_nameserver(self) -> None:
        try:
            _, self._nameserver, _ = Pyro4.naming.startNS(
                host=self._host, port=self._port, enableBroadcast=False
            )
        except OSError as error:
            raise ServiceError(
                f"cannot serve on {self._host}:{self._port} ({error.strerror}); choose another"
                " --port or --host, or end what uses it"
            ) from None
        port = int(self._nameserver.locationStr.rpartition(":")[2])
        self.nameserver = (self._host, port)
        self._in_background(self._nameserver.requestLoop, "nameserver")

    def _discover(self) -> None:
        while not self._closing.is_set():
            self._look.clear()
            try:
                with security.nameserver(*self.nameserver) as names:
                    found = names.list(prefix=f"{self._prefix}worker.")
                self._welcome(found)
            except (Pyro4.errors.PyroError, OSError) as error:
                _log.warning("nameserver %s:%d does not answer: %s", *self.nameserver, error)
            self._look.wait(self._heartbeat)

    def _welcome(self, found: Mapping[str, str]) -> None:
        for name, uri in found.items():
            courier = self._couriers.get(name)
            if courier is not None and courier.is_alive():
                if courier.uri != uri:
                    _log.warning("a second worker calls itself %s; it is not used", name)
                continue
            self._couriers[name] = _Courier(
                name, uri, self._working_directory, self._heartbeat, self._news.put, self._forget
            )
            self._couriers[name].start()

    def _forget(self, name: str) -> None:
        """Removes a dead name from the nameserver, so that nobody tries it again."""
        try:
            with security.nameserver(*self.nameserver) as names:
                names.remove(name)
        except (Pyro4.errors.PyroError, OSError) as error:
            _log.debug("could not remove %s: %s", name, error)

    def _result_of(self, courier: "_Courier") -> Callable[["_Reply", Evaluated], None]:
        def result(reply: _Reply, news: Evaluated) -> None:
            self._daemon.unregister(reply)
            courier.done(reply.order)
            self._news.put(news)

        return result

    @staticmethod
    def _in_background(function: Callable[[], object], name: str) -> None:
        threading.Thread(target=function, name=name, daemon=True).start()


class _Dispatcher:
    """What workers find in the nameserver as ``hpbandster.run_<run-id>.dispatcher``."""

    def __init__(
        self, settings: Mapping[str, Any], fingerprint: str, look: Callable[[], None]
    ) -> None:
        self._settings, self._fingerprint, self._look = dict(settings), fingerprint, look

    @Pyro4.expose
    @Pyro4.oneway
    def trigger_discover_worker(self) -> None:
        """HpBandSter's contract: looks for new workers at once."""
        self._look()

    @Pyro4.expose
    def register_result(
        self,
        id: object = None,
        result: object = None,
    ) -> None:
        """HpBandSter's contract; unused, because every attempt has a :class:`_Reply` to call."""
        _log.warning("dropped a result for %s that belongs to no attempt of this run", id)

    @Pyro4.expose
    def settings(self) -> dict[str, Any]:
        """What all evaluations of the run have in common."""
        return self._settings

    @Pyro4.expose
    def hello(self, name: str, facts: Mapping[str, Any]) -> str:
        """Why this worker cannot take part, in one sentence; "" if it can."""
        theirs = facts.get("fingerprint", "")
        if not (self._fingerprint and theirs) or theirs == self._fingerprint:
            return ""
        refusal = f"its data ({theirs[:12]}) is not the run's ({self._fingerprint[:12]})"
        _log.warning("refused worker %s: %s; give both the same --data", name, refusal)
        return refusal


class _Reply:
    """Takes the result of one attempt, once."""

    def __init__(self, order: Evaluate, put: Callable[["_Reply", Evaluated], None]) -> None:
        self.order, self._put = order, put

    @Pyro4.expose
    @Pyro4.callback
    def register_result(
        self,
        id: object = None,
        result: object = None,
    ) -> None:
        """HpBandSter's contract: ``{"result": {"loss", "info"} or None, "exception": ...}``."""
        self._put(self, _as_news(self.order, result))


class _Courier(threading.Thread):
    """Looks after one worker: brings it orders, asks how it is, reports when it is gone."""

    def __init__(
        self,
        name: str,
        uri: str,
        working_directory: str,
        heartbeat: float,
        put: Post,
        forget: Callable[[str], None],
    ) -> None:
        super().__init__(name=f"courier {name}", daemon=True)
        self.worker, self.uri = name, uri
        self._working_directory, self._heartbeat = working_directory, heartbeat
        self._put, self._forget = put, forget
        self._orders: queue.Queue[tuple[Evaluate, str] | bool] = queue.Queue()
        self._waiting_for: Evaluate | None = None
        self._idle_looks = 0

    def take(self, order: Evaluate, reply_uri: str) -> None:
        """Queues an order for delivery."""
        self._orders.put((order, reply_uri))

    def done(self, order: Evaluate) -> None:
        """The result of ``order`` has come."""
        if self._waiting_for == order:
            self._waiting_for = None

    def leave(self, dismiss: bool) -> None:
        """Ends this thread; with ``dismiss`` also the worker."""
        self._orders.put(dismiss)

    def run(self) -> None:
        """The thread's life: from the first answer of the worker to its last."""
        with security.proxy(self.uri, timeout=max(self._heartbeat, 1.0)) as worker:
            try:
                worker.is_busy()
            except (Pyro4.errors.PyroError, OSError) as error:
                _log.debug("%s does not answer: %s", self.worker, error)
                self._forget(self.worker)
                return
            self._put(WorkersChanged(joined=(self.worker,)))
            if self._serve(worker):
                return
        _log.warning("worker %s is gone", self.worker)
        self._forget(self.worker)
        self._put(WorkersChanged(left=(self.worker,)))

    def _serve(self, worker: Any) -> bool:
        """Delivers and looks; True if we end, False if the worker does."""
        misses = 0
        while misses < MISSES_UNTIL_LOST:
            try:
                order = self._next()
                if isinstance(order, bool):
                    self._dismiss(worker, order)
                    return True
                if order is not None:
                    self._bring(worker, *order)
                else:
                    self._ask(worker)
                misses = 0
            except Pyro4.errors.TimeoutError:
                misses += 1
            except (Pyro4.errors.PyroError, OSError):
                if not _reconnects(worker):
                    return False
                misses += 1
        return False

    def _next(self) -> tuple[Evaluate, str] | bool | None:
        try:
            return self._orders.get(timeout=self._heartbeat)
        except queue.Empty:
            return None

    def _bring(self, worker: Any, order: Evaluate, reply_uri: str) -> None:
        self._waiting_for, self._idle_looks = order, 0
        worker.start_computation(
            Pyro4.Proxy(reply_uri),
            tuple(order.evaluation.trial),
            config=security.plain(order.configuration),
            budget=float(order.evaluation.budget),
            working_directory=self._working_directory,
        )

    def _ask(self, worker: Any) -> None:
        busy = worker.is_busy()
        order = self._waiting_for
        self._idle_looks = 0 if busy or order is None else self._idle_looks + 1
        if order is not None and self._idle_looks >= IDLE_LOOKS_UNTIL_LOST:
            self._waiting_for = None
            self._put(_crashed(order, "the worker is idle but never sent a result"))

    @staticmethod
    def _dismiss(worker: Any, dismiss: bool) -> None:
        if dismiss:
            worker.shutdown()


def _reconnects(worker: Any) -> bool:
    try:
        worker._pyroReconnect(tries=1)
    except Pyro4.errors.TimeoutError:
        return True  # silent, not gone: counts as a miss
    except (Pyro4.errors.PyroError, OSError):
        return False
    return True


def _name(order: Evaluate) -> str:
    trial, budget = order.evaluation
    return f"{trial.bracket}-{trial.rung}-{trial.number}.{budget:g}.{order.attempt}"


def _crashed(order: Evaluate, error: str) -> Evaluated:
    return Evaluated(order.evaluation, order.attempt, order.worker, "crashed", error=error)


def _as_news(order: Evaluate, message: object) -> Evaluated:
    """Checks what a worker sent; whatever it is, it becomes news of exactly this attempt."""
    if not isinstance(message, Mapping):
        return _crashed(order, f"the worker sent no result but {type(message).__name__}")
    result = message.get("result")
    if result is None:
        return _crashed(order, str(message.get("exception") or "the worker gave no reason"))
    try:
        loss, info = float(result["loss"]), security.plain(result.get("info", {}))
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        return _crashed(order, "the worker's result has no numeric 'loss'")
    info = info if isinstance(info, dict) else {"value": info}
    key = order.evaluation, order.attempt, order.worker
    if math.isfinite(loss):
        return Evaluated(*key, "finished", loss, info)
    return Evaluated(*key, "diverged", info=info, error=f"the loss became {loss}")
