"""HpBandSter's nameserver and dispatcher contracts as a mailbox: news in, orders out.

Rules of this file:

* Callbacks do nothing but put news into one queue; nothing is decided here.
* Every remote call has a timeout and none is made under a lock. Each worker has a thread of its
  own (:mod:`bohb_seg.master.worker_link`), so that a frozen worker delays nobody else.
* A worker is there as long as its *lease*: three heartbeats from its last sign of life. Ours renew
  it themselves, also while they train; stock HpBandSter workers are asked.
* Each attempt has a remote object of its own (:class:`Reply`) that the worker calls back. A late
  or doubled message therefore can never be booked under another attempt or budget, also from
  stock workers, whose results name only the trial. It answers once the result is on disk; until
  then the worker keeps it and offers it again, also to the next master.
* Nameserver, dispatcher, replies and storage are objects of one daemon: one port to open, and
  addresses that are the same after a restart.
"""

import contextlib
import logging
import math
import queue
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import Pyro4

from bohb_seg.errors import ServiceError
from bohb_seg.master import worker_messages
from bohb_seg.master.reply import Reply, reply_name
from bohb_seg.master.worker_events import (
    MasterCloses,
    OrderGiven,
    Parted,
    ResultCame,
)
from bohb_seg.master.worker_life import LEASE, WorkerLife
from bohb_seg.master.worker_link import Round, WorkerLink
from bohb_seg.rpc import pyro
from bohb_seg.rpc.daemon import Daemon, serve_in_background
from bohb_seg.rpc.nameserver import NameServer
from bohb_seg.search.events import Evaluate, Evaluated, News, WorkersChanged
from bohb_seg.trials import Attempt, EvaluationId

SIGN_OFF = 3.0
"""Seconds that dismissed workers get to take their names out of the nameserver."""
COMPLAIN_EVERY = 60.0
"""Seconds between two complaints about the same worker."""
NAMESERVER = "Pyro.NameServer"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Terms:
    """What workers are told and what is wanted of them.

    Args:
        settings: What all evaluations of the run have in common.
        token: Lies in the run directory; who can read it there shares our storage.
        facts: What a worker must agree in, as far as both tell it: version, fingerprint, split.
    """

    settings: Mapping[str, Any]
    token: str
    facts: Mapping[str, str]


@dataclass
class _Expected:
    """A worker of the past that has until then to come back, and what it should be doing."""

    order: Evaluate | None
    until: float


class Transport:
    """The master's side of the wire.

    Args:
        run_id: Names the dispatcher and its workers in the nameserver.
        host: Address to serve on.
        port: Port to serve on; 0 takes any free one.
        external: ``(host, port)`` of a nameserver that already runs, instead of an own one.
        working_directory: What every evaluation gets as its ``working_directory``.
        heartbeat: Seconds between two signs of life of a worker.
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
    ) -> None:
        self._prefix = f"hpbandster.run_{run_id}."
        self._host, self._port, self._external = host, port, external
        self._round = Round(working_directory, heartbeat)
        self._news: queue.SimpleQueue[News] = queue.SimpleQueue()
        self._links: dict[str, WorkerLink] = {}
        self._replies: dict[str, Reply] = {}
        self._attempts: dict[EvaluationId, list[Reply]] = {}
        self._expected: dict[str, _Expected] = {}
        self._roll = threading.Lock()  # for moving from the expected ones to those with a link
        self._complained: dict[str, float] = {}
        self._micro_batches: dict[str, int] = {}
        self._look = threading.Event()
        self._closing = threading.Event()
        self.nameserver = external or (host, port)

    def bind(self, resuming: bool = False) -> None:
        """Takes the port; nobody is served yet.

        Args:
            resuming: A nameserver that does not answer was right before and will be back.

        Raises:
            ServiceError: the port is in use, the nameserver does not answer, or another master
                serves this run.
        """
        port = 0 if self._external else self._port
        try:
            self._daemon = Daemon(self._host, port, admits=("master", "worker"), lost=self._lost)
        except OSError as error:
            raise ServiceError(
                f"cannot serve on {self._host}:{port} ({error.strerror or error}); choose another"
                " --port or --host, or end what uses it"
            ) from None
        if self._external is None:
            self._daemon.register(NameServer(), NAMESERVER)
            self.nameserver = (self._host, int(self._daemon.locationStr.rpartition(":")[2]))
        else:
            self._refuse_second_master(resuming)

    def serve(
        self, terms: Terms, storage: object, past: Mapping[str, Evaluate | None] | None = None
    ) -> None:
        """Begins to serve.

        Args:
            terms: What workers are told.
            storage: The remote object for workers that do not share our storage.
            past: On resuming, the workers that the run had and what they were doing; each has a
                lease to make itself known, else it is reported as having left.
        """
        self._daemon.register(storage, f"{self._prefix}storage")
        dispatcher = _Dispatcher(self, terms, self._round.heartbeat)
        self._uri = str(self._daemon.register(dispatcher, f"{self._prefix}dispatcher"))
        until = time.monotonic() + LEASE * self._round.heartbeat
        self._expected = {name: _Expected(order, until) for name, order in (past or {}).items()}
        for order in filter(None, (past or {}).values()):
            self._open_reply(order)
        serve_in_background(self._daemon, "dispatcher")
        threading.Thread(target=self._discover, name="discovery", daemon=True).start()

    def receive(self, timeout: float) -> list[News]:
        """All news there are; waits up to ``timeout`` seconds for the first."""
        news: list[News] = []
        with contextlib.suppress(queue.Empty):
            news.append(self._news.get(timeout=timeout))
            while True:
                news.append(self._news.get_nowait())
        return news

    def post(self, news: News) -> None:
        """Adds news of the master's own, e.g. that it was asked to stop."""
        self._news.put(news)

    def send(self, order: Evaluate) -> None:
        """Hands an evaluation to its worker.

        If the worker is gone, the news that say so are under way already: its link posted them.
        """
        self._open_reply(order)
        with self._roll:
            if expected := self._expected.get(order.worker):
                expected.order = order
            elif link := self._links.get(order.worker):
                link.tell(OrderGiven(order))

    def learn(self, news: Evaluated) -> None:
        """Keeps what a worker found out about memory, for all others; the smallest counts."""
        for key, fits in worker_messages.micro_batches(news.info).items():
            self._micro_batches[key] = min(fits, self._micro_batches.get(key, fits))

    def recorded(self, news: Evaluated) -> None:
        """The result is on disk: its worker may forget it."""
        if reply := self._replies.get(reply_name(self._prefix, news)):
            self._close_reply(reply)
            reply.recorded.set()

    def settled(self, evaluation: EvaluationId) -> None:
        """Nobody waits for further attempts: those who still try are told when they renew."""
        for reply in self._attempts.pop(evaluation, []):
            reply.wanted = False
            link = self._links.get(reply.order.worker)
            if not reply.posted and (link is None or not link.is_alive()):
                self._close_reply(reply)

    def close(self, dismiss: bool) -> None:
        """Closes everything; with ``dismiss`` workers are told that nothing is left to do."""
        self._closing.set()
        self._look.set()
        links = list(self._links.values())
        for link in links:
            link.tell(MasterCloses(dismiss))
        deadline = time.monotonic() + pyro.CALL_TIMEOUT
        for link in links:
            link.join(max(0.0, deadline - time.monotonic()))
        if dismiss:
            self._let_them_sign_off()
        self.forget(f"{self._prefix}dispatcher", self._uri)
        self._daemon.shutdown()

    def _let_them_sign_off(self) -> None:
        """Waits a moment until all have left the nameserver: stock workers fail without one."""
        until = time.monotonic() + SIGN_OFF
        with (
            contextlib.suppress(*pyro.TRANSIENT),
            pyro.nameserver(*self.nameserver) as names,
        ):
            while names.list(prefix=f"{self._prefix}worker.") and time.monotonic() < until:
                time.sleep(0.05)

    # --- what the dispatcher is asked ------------------------------------------------------

    def look(self) -> None:
        """Looks for new workers at once."""
        self._look.set()

    def renew(self, name: str, doing: str) -> Literal["", "unknown", "unwanted"]:
        """A worker's sign of life; see :meth:`_Dispatcher.renew`."""
        link = self._links.get(name)
        if link is None or not link.is_alive():
            return "unknown"
        link.renewed(bool(doing), Pyro4.current_context.client)
        reply = self._replies.get(doing)
        return "" if not doing or (reply and reply.wanted) else "unwanted"

    def goodbye(self, name: str) -> None:
        """A worker leaves."""
        if link := self._links.get(name):
            link.tell(Parted())

    # --- what links ask --------------------------------------------------------------------

    def awaited(self, reply: str) -> Attempt | None:
        """The attempt that this reply is for, if it has not come to its end yet."""
        found = self._replies.get(reply)
        if found is None or found.posted:
            return None
        return Attempt(found.order.evaluation, found.order.attempt)

    def reply_address(self, order: Evaluate) -> str:
        """Where the result of an order is to be sent."""
        return f"PYRO:{reply_name(self._prefix, order)}@{self._daemon.locationStr}"

    def micro_batches(self) -> dict[str, int]:
        """What workers have learnt about memory so far."""
        return dict(self._micro_batches)

    def complain(self, name: str, uri: str) -> None:
        """Says now and then that a worker is known but cannot be reached."""
        address = uri.rpartition("@")[2]
        self._complain_about(
            name,
            f"worker {name} does not answer at {address}; if it should, check its firewall or its"
            " --bind",
        )

    def _complain_about(self, name: str, sentence: str) -> None:
        now = time.monotonic()
        if now - self._complained.get(name, -math.inf) > COMPLAIN_EVERY:
            self._complained[name] = now
            _log.warning("%s", sentence)

    def forget(self, name: str, uri: str) -> None:
        """Removes a dead name from the nameserver, unless it is somebody else's by now."""
        try:
            with pyro.nameserver(*self.nameserver) as names:
                if names.list(prefix=name).get(name) == uri:
                    names.remove(name)
        except pyro.TRANSIENT as error:
            _log.debug("could not remove %s: %s", name, error)

    # --- who is there ----------------------------------------------------------------------

    def _refuse_second_master(self, resuming: bool) -> None:
        name, (host, port) = f"{self._prefix}dispatcher", self.nameserver
        other, refusal = None, ""
        try:
            with pyro.nameserver(host, port) as names:
                other = names.list(prefix=name).get(name)
        except pyro.TRANSIENT as error:
            if not resuming:
                refusal = f"nameserver {host}:{port} does not answer ({error}); check --nameserver"
        if other is not None and _answers(other):
            refusal = (
                f"a master already serves this run at {other.partition('@')[2]}; end it, or choose"
                " another --run-id"
            )
        if refusal:
            self._daemon.shutdown()
            raise ServiceError(refusal)

    def _discover(self) -> None:
        while not self._closing.is_set():
            self._look.clear()
            try:
                with pyro.nameserver(*self.nameserver) as names:
                    found = names.list(prefix=self._prefix)
                    if found.get(f"{self._prefix}dispatcher") != self._uri:  # or restarted since
                        names.register(f"{self._prefix}dispatcher", self._uri)
                self._welcome(found)
            except pyro.TRANSIENT as error:
                address = "{}:{}".format(*self.nameserver)
                self._complain_about(address, f"nameserver {address} does not answer: {error}")
            self._miss()
            self._look.wait(self._round.heartbeat)

    def _welcome(self, found: Mapping[str, str]) -> None:
        for name, uri in found.items():
            if not name.startswith(f"{self._prefix}worker."):
                continue
            link = self._links.get(name)
            if link is not None and link.is_alive():
                link.mind_namesake(uri)
            else:
                self._start_link(name, uri)

    def _start_link(self, name: str, uri: str) -> None:
        with self._roll:
            expected = self._expected.pop(name, None)
            order = expected.order if expected else None
            life = WorkerLife(time.monotonic(), self._round.heartbeat, expected is not None, order)
            link = self._links[name] = WorkerLink(name, uri, life, self._round, self)
        link.start()

    def _miss(self) -> None:
        """Reports those workers of the past that have not come back within their lease."""
        now = time.monotonic()
        with self._roll:
            missing = [name for name, past in self._expected.items() if past.until < now]
            for name in missing:
                del self._expected[name]
        for name in missing:
            _log.warning("worker %s has not come back", name)
            self._news.put(WorkersChanged(left=(name,)))

    def _lost(self, connection: object) -> None:
        for link in list(self._links.values()):
            link.lost(connection)

    # --- attempts --------------------------------------------------------------------------

    def _open_reply(self, order: Evaluate) -> None:
        reply = Reply(order, self._result)
        name = reply_name(self._prefix, order)
        self._daemon.register(reply, name)
        self._replies[name] = reply
        self._attempts.setdefault(order.evaluation, []).append(reply)

    def _close_reply(self, reply: "Reply") -> None:
        self._daemon.unregister(reply)
        del self._replies[reply_name(self._prefix, reply.order)]
        if reply.wanted:
            self._attempts[reply.order.evaluation].remove(reply)

    def _result(self, news: Evaluated) -> None:
        with self._roll:
            if expected := self._expected.get(news.worker):
                expected.order = None
            elif link := self._links.get(news.worker):
                link.tell(ResultCame(Attempt(news.evaluation, news.attempt)))
        self._news.put(news)


class _Dispatcher:
    """What workers find in the nameserver as ``hpbandster.run_<run-id>.dispatcher``."""

    def __init__(self, transport: Transport, terms: Terms, heartbeat: float) -> None:
        self._transport, self._terms, self._heartbeat = transport, terms, heartbeat

    @Pyro4.expose
    @Pyro4.oneway
    def trigger_discover_worker(self) -> None:
        """HpBandSter's contract: looks for new workers at once."""
        self._transport.look()

    @Pyro4.expose
    def register_result(
        self,
        id: object = None,
        result: object = None,
    ) -> None:
        """HpBandSter's contract; unused, because every attempt has a :class:`Reply` to call."""
        _log.warning("dropped a result for %.99r that belongs to no attempt of this run", id)

    @Pyro4.expose
    def terms(self) -> dict[str, Any]:
        """What all evaluations have in common, seconds between renewals, the storage's token."""
        told = {"settings": dict(self._terms.settings), "heartbeat": self._heartbeat}
        return {**told, "token": self._terms.token}

    @Pyro4.expose
    def hello(self, name: object, facts: object) -> str:
        """Why this worker cannot take part, in one sentence; "" if it can."""
        refusal = worker_messages.disagreement(self._terms.facts, facts)
        if refusal:
            _log.warning("refused worker %.300s: %s", name, refusal)
        return refusal

    @Pyro4.expose
    def renew(self, name: object, doing: object) -> str:
        """A worker's sign of life, and which reply it works for ("": it is idle).

        Returns:
            ``"unknown"``: register (again) with the nameserver and trigger a discovery;
            ``"unwanted"``: nobody waits for that reply any more; else ``""``.
        """
        return self._transport.renew(str(name), str(doing))

    @Pyro4.expose
    def goodbye(self, name: object) -> None:
        """The worker leaves; what it was doing is handed on at once."""
        self._transport.goodbye(str(name))


def _answers(uri: str) -> bool:
    try:
        with pyro.proxy(uri) as other:
            other._pyroBind()
    except pyro.TRANSIENT:
        return False
    return True
