"""The thread that looks after one worker: it makes the calls that are needed and decides nothing.

:class:`bohb_seg.master.worker_life.WorkerLife` decides. Events come from this thread, from the
threads of the daemon (renewals, goodbyes, results) and from the master's loop (orders). They are
handled one at a time, under a lock. Reports to the scheduler are made under that lock, so that
they are in the order of the events; calls are queued for this thread and made without the lock.
"""

import logging
import math
import queue
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, assert_never, final

import Pyro4

from bohb_seg.master import worker_messages
from bohb_seg.master.micro_batches import MicroBatches
from bohb_seg.master.registry import Registry
from bohb_seg.master.reply_book import ReplyBook
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
    LifeEvent,
    LinkFailed,
    Renewed,
    Renounce,
    Report,
    ReportLost,
    Took,
)
from bohb_seg.master.worker_life import WorkerLife
from bohb_seg.rpc import names, pyro, values
from bohb_seg.rpc.complaints import Complaints
from bohb_seg.search.events import Evaluate, Evaluated, News, WorkersChanged

SHORTEST_CALL = 1.0
"""Seconds that a worker gets to answer at least, however short the heartbeat."""
PAUSE = 0.2
"""Seconds after a call that failed, so that a worker that always fails is not called in a rush."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Surroundings:
    """Everything that the links of a run share.

    Args:
        heartbeat: Seconds between two signs of life.
        working_directory: ``working_directory`` of every evaluation.
        post: Takes news for the scheduler.
        replies: Take the results.
        registry: Holds the workers' names.
        micro_batches: Micro-batches that fit into memory, as workers have learnt.
        complaints: Tell the user which workers cannot be reached.
        minutes: Minutes that an attempt may take; None: as many as it likes.
        chosen_later: Returns the settings that orders bring, because they may be chosen after
            workers have joined.
    """

    heartbeat: float
    working_directory: str
    post: Callable[[News], None]
    replies: ReplyBook
    registry: Registry
    micro_batches: MicroBatches
    complaints: Complaints
    minutes: float | None = None
    chosen_later: Callable[[], Mapping[str, Any]] = dict

    @property
    def limit(self) -> float:
        """Seconds that an attempt may take."""
        return math.inf if self.minutes is None else 60 * self.minutes


@final
class WorkerLink(threading.Thread):
    """Looks after one worker until it is gone or the master closes.

    Args:
        name: The worker's name in the nameserver.
        uri: Its address there.
        life: Decides; nobody else may hold it.
        surroundings: Shared by all links.
    """

    def __init__(self, name: str, uri: str, life: WorkerLife, surroundings: Surroundings) -> None:
        super().__init__(name=f"link to {name}", daemon=True)
        self.worker, self.uri = name, uri
        self._life, self._around = life, surroundings
        self._lock = threading.RLock()
        self._calls: queue.SimpleQueue[Call | None] = queue.SimpleQueue()
        self._connection: object = None
        self._namesake = uri

    def tell(self, event: LifeEvent) -> None:
        """Takes an event; for any thread."""
        with self._lock:
            for instruction in self._life.handle(event, time.monotonic()):
                match instruction:
                    case Announce() | Renounce() | ReportLost() | Complain():
                        self._report(instruction)
                    case call:
                        self._calls.put(call)
            if self._life.over:
                self._calls.put(None)  # nothing to do, but the thread wakes

    def renew(self, busy: bool, connection: object) -> None:
        """The worker renewed its lease over this connection."""
        self._connection = connection
        self.tell(Renewed(busy))

    def lose(self, connection: object) -> None:
        """A connection has ended; perhaps the one that the worker used."""
        if self._connection is connection:
            self.tell(ConnectionLost())

    def mind_namesake(self, uri: str) -> None:
        """Warns of another worker of the same name."""
        if uri not in (self.uri, self._namesake):
            self._namesake = uri
            sentence = f"a second worker calls itself {self.worker}; it is not used"
            self._around.complaints.complain(("namesake", self.worker), sentence)

    def run(self) -> None:
        """Makes calls as long as there are any; a fault of ours costs no more than this link."""
        try:
            self._look_after()
        except Exception:
            _log.exception("the link to %s failed; the worker is met anew", self.worker)
        finally:
            self.tell(LinkFailed())  # nothing follows if its life is over, as it should be

    def _look_after(self) -> None:
        heartbeat = self._around.heartbeat
        patience = max(heartbeat, SHORTEST_CALL)
        with pyro.proxy(self.uri, patience, of="worker", worker=self.worker) as worker:
            self.tell(HeartbeatPassed())
            while not (self._life.over and self._calls.empty()):
                try:
                    call = self._calls.get(timeout=heartbeat)
                except queue.Empty:
                    self.tell(HeartbeatPassed(self._hangs()))
                else:
                    if call is not None and self._wants(call):
                        self._make(call, worker)

    def _hangs(self) -> bool:
        """Whether the lease is over, and of the worker only its machine answers."""
        if time.monotonic() <= self._life.lease.ends:
            return False
        uri = Pyro4.URI(self.uri)
        try:
            socket.create_connection((uri.host, uri.port), SHORTEST_CALL).close()
        except OSError:
            return False
        try:
            with pyro.proxy(self.uri, SHORTEST_CALL, of="worker", worker=self.worker) as worker:
                worker._pyroBind()
        except pyro.TRANSIENT:
            return True
        return False

    def _report(self, report: Report) -> None:
        around, worker = self._around, self.worker
        match report:
            case Announce(attempt):
                doing = {worker: attempt} if attempt else {}
                around.post(WorkersChanged(joined=(worker,), doing=doing))
            case Renounce():
                _log.warning("worker %s is gone", worker)
                around.post(WorkersChanged(left=(worker,)))
            case ReportLost():
                around.post(_as_news(report, worker, around.minutes))
            case Complain():
                around.complaints.complain(worker, _unreachable(worker, self.uri))

    def _wants(self, call: Call) -> bool:
        with self._lock:
            return self._life.wants(call)

    def _make(self, call: Call, worker: Any) -> None:
        try:
            answer = self._invoke(call, worker)
        except Exception as error:  # the wire's, or whatever a worker's method raised
            _log.debug("%s: %s", self.worker, values.line(error))
            if isinstance(call, Ask | Bring):
                self.tell(CallFailed(call, *_refusal(worker, error), self._hangs()))
        else:
            self._hear(call, answer)

    def _invoke(self, call: Call, worker: Any) -> str | bool | None:
        match call:
            case Ask() if _is_ours(worker):
                return str(worker.doing())
            case Ask():
                return bool(worker.is_busy())
            case Bring(order):
                self._bring(order, worker)
            case Forget():
                self._around.registry.forget(self.worker, self.uri)
            case Dismiss():
                worker.shutdown()
        return None

    def _hear(self, call: Call, answer: str | bool | None) -> None:
        match call, answer:
            case Ask(), str() as reply:
                with self._lock:  # so that the result comes before or after this, never between
                    attempt = self._around.replies.awaited(reply, self.worker)
                    self.tell(Answered(bool(reply), attempt))
            case Ask(), busy:
                self.tell(Answered(bool(busy), names_attempt=False))
            case Bring(order), _:
                self.tell(Took(order))

    def _bring(self, order: Evaluate, worker: Any) -> None:
        around = self._around
        terms: dict[str, object] = {}
        if _is_ours(worker) and (fits := around.micro_batches.known):
            terms["micro_batches"] = fits
        if _is_ours(worker) and around.minutes is not None:
            terms["max_minutes"] = around.minutes
        if _is_ours(worker) and (later := around.chosen_later()):
            terms["chosen_later"] = later
        worker.start_computation(
            Pyro4.Proxy(around.replies.address(order)),
            tuple(order.evaluation.trial),
            config=values.plain(order.configuration),
            budget=float(order.evaluation.budget),
            working_directory=around.working_directory,
            **terms,
        )


def _unreachable(worker: str, uri: str) -> str:
    return (
        f"worker {worker} does not answer at {uri.rpartition('@')[2]}; if it should, check its"
        " firewall or its --bind"
    )


def _is_ours(worker: Any) -> bool:
    """Whether a worker can say what it does; HpBandSter's own cannot."""
    return hasattr(worker, "doing")


def _as_news(lost: ReportLost, worker: str, minutes: float | None) -> Evaluated:
    """News of an attempt that will bring no result."""
    (evaluation, number), machine = lost.attempt, names.machine(worker)
    match lost.why:
        case "idle":
            error = "the worker is idle but never sent a result"
            return Evaluated(evaluation, number, worker, "crashed", error=error)
        case "died" | "hangs":
            silent = ("its process is there, but hangs",) if lost.why == "hangs" else ()
            error = worker_messages.crashed_its_worker(*silent)
            return Evaluated(evaluation, number, worker, "crashed", error=error, lost_on=machine)
        case "overdue":
            error = worker_messages.overdue(minutes)
            return Evaluated(
                evaluation, number, worker, "crashed", error=error, final=True, lost_on=machine
            )
    assert_never(lost.why)


def _refusal(worker: Any, error: Exception) -> tuple[bool, bool]:
    """Whether a worker cannot be connected any more after this error, and its process has ended.

    Silence is no refusal. A machine that cannot be reached refuses, but tells nothing of a process.
    """
    if isinstance(error, Pyro4.errors.TimeoutError):
        return False, False
    for _ in range(2):  # a process that is about to end may accept once more
        worker._pyroRelease()
        try:
            worker._pyroBind()
        except pyro.TRANSIENT as refusal:
            if isinstance(refusal.__cause__, ConnectionRefusedError):
                return True, True
            time.sleep(PAUSE)
        else:
            time.sleep(PAUSE)
            return False, False
    return True, False
