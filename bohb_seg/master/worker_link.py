"""The thread that looks after one worker: makes the calls that its life asks for, decides nothing.

:class:`bohb_seg.master.worker_life.WorkerLife` decides. Events come from this thread, from the
threads of the daemon (renewals, goodbyes, results) and from the master's loop (orders). They are
handled one at a time, under a lock. Reports to the scheduler are made under that lock, so that
they are in the order of the events; calls are queued for this thread and made without the lock.
"""

import logging
import queue
import threading
import time
from dataclasses import dataclass
from typing import Any, Protocol, final

import Pyro4

from bohb_seg.master.worker_events import (
    Announce,
    Answered,
    Ask,
    Bring,
    Call,
    CallFailed,
    Complain,
    ConnectionLost,
    Dismiss,
    Forget,
    HeartbeatPassed,
    Instruction,
    LifeEvent,
    Renewed,
    Renounce,
    Report,
    ReportLost,
    Took,
)
from bohb_seg.master.worker_life import WorkerLife
from bohb_seg.rpc import pyro, values
from bohb_seg.search.events import Evaluate, Evaluated, News, WorkersChanged
from bohb_seg.trials import Attempt

SHORTEST_CALL = 1.0
"""Seconds that a worker gets to answer at least, however short the heartbeat."""
PAUSE = 0.2
"""Seconds after a call that failed, so that a worker that always fails is not called in a rush."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Round:
    """What all links of a run have in common.

    Args:
        working_directory: What every evaluation gets as its ``working_directory``.
        heartbeat: Seconds between two signs of life.
    """

    working_directory: str
    heartbeat: float


class Office(Protocol):
    """What a link needs of the transport."""

    def post(self, news: News) -> None:
        """Takes news."""

    def awaited(self, reply: str) -> Attempt | None:
        """The attempt of a reply, as long as its result has not come."""

    def reply_address(self, order: Evaluate) -> str:
        """Where the result of an order is to be sent."""

    def forget(self, name: str, uri: str) -> None:
        """Removes a dead worker from the nameserver."""

    def complain(self, name: str, uri: str) -> None:
        """Says that a worker cannot be reached."""

    def micro_batches(self) -> dict[str, int]:
        """What workers have learnt about memory so far."""


@final
class WorkerLink(threading.Thread):
    """Looks after one worker until it is gone or the master closes.

    Args:
        name: The worker's name in the nameserver.
        uri: Its address there.
        life: What is known of it.
        round: What all links have in common.
        office: Where news go to.
    """

    def __init__(self, name: str, uri: str, life: WorkerLife, round: Round, office: Office) -> None:
        super().__init__(name=f"link to {name}", daemon=True)
        self.worker, self.uri = name, uri
        self._life, self._round, self._office = life, round, office
        self._lock = threading.RLock()
        self._calls: queue.SimpleQueue[Call] = queue.SimpleQueue()
        self._connection: object = None
        self._namesake = uri

    def tell(self, event: LifeEvent) -> None:
        """Takes an event; for any thread."""
        with self._lock:
            for instruction in self._life.handle(event, time.monotonic()):
                self._begin(instruction)

    def renewed(self, busy: bool, connection: object) -> None:
        """The worker renewed its lease over this connection."""
        self._connection = connection
        self.tell(Renewed(busy))

    def lost(self, connection: object) -> None:
        """This connection has ended: whose ever it was."""
        if self._connection is connection:
            self.tell(ConnectionLost())

    def mind_namesake(self, uri: str) -> None:
        """Warns, once, of a second worker of the same name."""
        if uri not in (self.uri, self._namesake):
            self._namesake = uri
            _log.warning("a second worker calls itself %s; it is not used", self.worker)

    def run(self) -> None:
        """Makes calls as long as there are any to be made."""
        seconds = max(self._round.heartbeat, SHORTEST_CALL)
        with pyro.proxy(self.uri, seconds, of="worker") as worker:
            self.tell(HeartbeatPassed())
            while not (self._life.over and self._calls.empty()):
                try:
                    call = self._calls.get(timeout=self._round.heartbeat)
                except queue.Empty:
                    self.tell(HeartbeatPassed())
                else:
                    self._make(call, worker)

    def _begin(self, instruction: Instruction) -> None:
        match instruction:
            case Announce() | Renounce() | ReportLost() | Complain():
                self._report(instruction)
            case call:
                self._calls.put(call)

    def _report(self, report: Report) -> None:
        match report:
            case Announce(attempt):
                doing = {self.worker: attempt} if attempt else {}
                self._office.post(WorkersChanged(joined=(self.worker,), doing=doing))
            case Renounce():
                _log.warning("worker %s is gone", self.worker)
                self._office.post(WorkersChanged(left=(self.worker,)))
            case ReportLost((evaluation, number)):
                error = "the worker is idle but never sent a result"
                self._office.post(
                    Evaluated(evaluation, number, self.worker, "crashed", error=error)
                )
            case Complain():
                self._office.complain(self.worker, self.uri)

    def _make(self, call: Call, worker: Any) -> None:
        if not self._life.wants(call):
            return
        try:
            self._invoke(call, worker)
        except Exception as error:  # the wire's, or whatever a worker's method raised
            _log.debug("%s: %s", self.worker, error)
            if isinstance(call, Ask | Bring):
                self.tell(CallFailed(call, refused=_refuses(worker, error)))

    def _invoke(self, call: Call, worker: Any) -> None:
        match call:
            case Ask():
                self._ask(worker)
            case Bring(order):
                self._bring(order, worker)
                self.tell(Took(order))
            case Forget():
                self._office.forget(self.worker, self.uri)
            case Dismiss():
                worker.shutdown()

    def _ask(self, worker: Any) -> None:
        if not _is_ours(worker):
            self.tell(Answered(bool(worker.is_busy()), names_attempt=False))
            return
        reply = str(worker.doing())
        with self._lock:  # so that a result is heard either before or after this, never between
            self.tell(Answered(bool(reply), self._office.awaited(reply)))

    def _bring(self, order: Evaluate, worker: Any) -> None:
        known = self._office.micro_batches() if _is_ours(worker) else {}
        worker.start_computation(
            Pyro4.Proxy(self._office.reply_address(order)),
            tuple(order.evaluation.trial),
            config=values.plain(order.configuration),
            budget=float(order.evaluation.budget),
            working_directory=self._round.working_directory,
            **({"micro_batches": known} if known else {}),
        )


def _is_ours(worker: Any) -> bool:
    """Whether a worker can say what it does; HpBandSter's own cannot."""
    return hasattr(worker, "doing")


def _refuses(worker: Any, error: Exception) -> bool:
    """Whether a worker cannot be connected any more after this error; silence is no refusal."""
    if isinstance(error, Pyro4.errors.TimeoutError):
        return False
    try:
        worker._pyroReconnect(tries=1)
    except pyro.TRANSIENT:
        return True
    time.sleep(PAUSE)
    return False
