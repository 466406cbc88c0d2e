"""The thread that looks after one worker: brings it orders and knows whether it is still there.

A worker's life here: it is *met* (what is it doing? a worker that was frozen may still be at work),
*announced* to the scheduler, *served* as long as it gives signs of life, and reported as having
left. Signs of life are its renewals and every answer to a call of ours; a stock HpBandSter worker
does not renew and is asked instead. A refused connection means that it is gone; silence only runs
down its lease, and when it wakes up it is met again.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import Pyro4

from bohb_seg.master import worker_messages
from bohb_seg.rpc import pyro, values
from bohb_seg.search.events import Evaluate, News, WorkersChanged
from bohb_seg.trials import Attempt

LEASE = 3
"""Heartbeats without a sign of life after which a worker's evaluation is handed on."""
IDLE_LOOKS_UNTIL_LOST = 3
"""Looks in a row at which a worker may say it is idle while we wait for its result."""

PAUSE = 0.2
"""Seconds after a call that failed, so that a worker that always fails is not asked without end."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Round:
    """What all couriers of a run have in common.

    Args:
        working_directory: What every evaluation gets as its ``working_directory``.
        heartbeat: Seconds between two signs of life.
    """

    working_directory: str
    heartbeat: float


class Office(Protocol):
    """What a courier needs of the transport that sends it."""

    def post(self, news: News) -> None:
        """Takes news."""

    def awaited(self, reply: str) -> Attempt | None:
        """The attempt of a reply, as long as its result has not come."""

    def reply_to(self, order: Evaluate) -> str:
        """The object id of the reply of an order."""

    def address(self, reply: str) -> str:
        """Where that reply is called."""

    def forget(self, name: str, uri: str) -> None:
        """Removes a dead worker from the nameserver."""

    def complain(self, name: str, uri: str) -> None:
        """Says that a worker cannot be reached."""

    def micro_batches(self) -> dict[str, int]:
        """What workers have learnt about memory so far."""


@dataclass(frozen=True)
class _Leave:
    """The master closes; ``dismiss``: there is nothing left to do."""

    dismiss: bool


@dataclass(frozen=True)
class _Look:
    """Something happened to the worker: ask it now."""


class Courier(threading.Thread):
    """Looks after one worker, from its first answer to its last."""

    def __init__(self, name: str, uri: str, round: Round, office: Office) -> None:
        super().__init__(name=f"courier {name}", daemon=True)
        self.worker, self.uri = name, uri
        self.came_over: object = None
        self._round, self._office = round, office
        self._tasks: queue.SimpleQueue[Evaluate | _Leave | _Look] = queue.SimpleQueue()
        self._undelivered: Evaluate | None = None
        self._waiting_for: Evaluate | None = None
        self._idle_looks = 0
        self._is_ours = self._renews = self._announced = self._met = False
        self._gone = self._parted = self._closing = False
        self._namesake = uri
        self._sign_of_life()

    # --- called by other threads -----------------------------------------------------------

    def assume(self, order: Evaluate | None) -> None:
        """The worker was known to the master before this one, and was doing ``order``."""
        self._announced, self._waiting_for = True, order

    def take(self, order: Evaluate) -> None:
        """Queues an order for delivery."""
        self._tasks.put(order)

    def renew(self, doing: str, connection: object) -> None:
        """The worker renewed its lease: it told what it does, over this connection."""
        self._renews, self.came_over = True, connection
        self._sign_of_life()
        self._compare(busy=bool(doing))

    def look(self) -> None:
        """Something happened to the worker: ask it now."""
        self._tasks.put(_Look())

    def part(self) -> None:
        """The worker said that it leaves."""
        self._parted = True
        self.look()

    def done(self, attempt: Attempt) -> None:
        """The result of ``attempt`` has come."""
        order = self._waiting_for
        if order is not None and (order.evaluation, order.attempt) == attempt:
            self._waiting_for = None

    def leave(self, dismiss: bool) -> None:
        """Ends this thread; with ``dismiss`` also the worker."""
        self._tasks.put(_Leave(dismiss))

    def mind_namesake(self, uri: str) -> None:
        """Complains, once, about a second worker of the same name."""
        if uri not in (self.uri, self._namesake):
            self._namesake = uri
            _log.warning("a second worker calls itself %s; it is not used", self.worker)

    # --- the thread ------------------------------------------------------------------------

    def run(self) -> None:
        """Meets the worker, serves it, and reports when it is not there any more."""
        with pyro.proxy(self.uri, max(self._round.heartbeat, 1.0), of="worker") as worker:
            self._repeat(self._meet, worker, until=lambda: self._met)
            self._repeat(self._serve, worker, until=lambda: False)
        if self._closing:
            return
        if self._gone or self._parted:
            self._office.forget(self.worker, self.uri)
        elif not self._met:
            self._office.complain(self.worker, self.uri)
        self._renounce()

    def _repeat(self, step: Callable[[Any], None], worker: Any, until: Callable[[], bool]) -> None:
        """Repeats a step as long as the worker is there and we are."""
        while not (until() or self._gone or self._parted or self._closing):
            if time.monotonic() > self._lease:
                return
            try:
                step(worker)
            except Pyro4.errors.TimeoutError:
                continue  # silent, not gone: the lease decides
            except Exception as error:  # the wire's, or whatever a worker's method raised
                _log.debug("%s: %s", self.worker, error)
                self._gone = not _reconnects(worker)
                time.sleep(PAUSE)

    def _meet(self, worker: Any) -> None:
        """Finds out what the worker does; waits while that is nothing that anybody waits for."""
        self._is_ours = hasattr(worker, "doing")
        if self._is_ours:
            self._met = self._meet_ours(str(worker.doing()))
        else:
            self._met = self._meet_stock(bool(worker.is_busy()))
        self._sign_of_life()
        if not self._met:
            self._obey(worker, self._next())

    def _meet_ours(self, doing: str) -> bool:
        assumed = self._waiting_for
        reply = self._office.reply_to(assumed) if assumed else ""
        if self._announced and doing in ("", reply):
            if not doing and self._office.awaited(reply):
                self._undelivered = assumed  # the master before died before it had brought it
            return True
        attempt = self._office.awaited(doing)
        if doing and attempt is None:
            return False  # it offers what is recorded already, or will hear that it is unwanted
        self._renounce()
        self._announce(attempt)
        return True

    def _meet_stock(self, busy: bool) -> bool:
        if not (self._announced and self._waiting_for is None and not busy):
            self._renounce()
            if not busy:
                self._announce(None)
        return self._announced

    def _announce(self, attempt: Attempt | None) -> None:
        self._announced = True
        doing = {self.worker: attempt} if attempt else {}
        self._office.post(WorkersChanged(joined=(self.worker,), doing=doing))

    def _renounce(self) -> None:
        """What the scheduler thinks this worker does must be done by another."""
        if self._announced:
            _log.warning("worker %s is gone", self.worker)
            self._office.post(WorkersChanged(left=(self.worker,)))
        self._announced, self._waiting_for = False, None

    def _serve(self, worker: Any) -> None:
        task = self._next()
        if task is None and self._renews:
            return
        self._obey(worker, task)
        self._sign_of_life()

    def _next(self) -> Evaluate | _Leave | _Look | None:
        """What is to be done now; None after a heartbeat without anything."""
        if self._undelivered is not None:
            return self._undelivered
        try:
            return self._tasks.get(timeout=self._round.heartbeat)
        except queue.Empty:
            return None

    def _obey(self, worker: Any, task: Evaluate | _Leave | _Look | None) -> None:
        match task:
            case Evaluate():
                self._bring(worker, task)
            case _Leave():
                self._closing = True
                if task.dismiss:
                    worker.shutdown()
            case _:
                self._compare(busy=bool(worker.is_busy()))

    def _bring(self, worker: Any, order: Evaluate) -> None:
        self._waiting_for, self._idle_looks = order, 0
        self._undelivered = order
        known = self._office.micro_batches() if self._is_ours else {}
        worker.start_computation(
            Pyro4.Proxy(self._office.address(self._office.reply_to(order))),
            tuple(order.evaluation.trial),
            config=values.plain(order.configuration),
            budget=float(order.evaluation.budget),
            working_directory=self._round.working_directory,
            **({"micro_batches": known} if known else {}),
        )
        self._undelivered = None

    def _compare(self, busy: bool) -> None:
        """A worker that is idle while we wait for its result has lost it."""
        order = self._waiting_for
        waits = order is not None and self._undelivered is None
        self._idle_looks = self._idle_looks + 1 if waits and not busy else 0
        if order is not None and self._idle_looks >= IDLE_LOOKS_UNTIL_LOST:
            self._waiting_for = None
            self._office.post(
                worker_messages.crashed(order, "the worker is idle but never sent a result")
            )

    def _sign_of_life(self) -> None:
        self._lease = time.monotonic() + LEASE * self._round.heartbeat


def _reconnects(worker: Any) -> bool:
    try:
        worker._pyroReconnect(tries=1)
    except Pyro4.errors.TimeoutError:
        return True  # silent, not gone
    except pyro.TRANSIENT:
        return False
    return True
