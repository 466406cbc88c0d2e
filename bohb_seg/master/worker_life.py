"""The life of one worker as the master sees it: events in, instructions out; no IO and no clock.

Rules:

* The scheduler hears of a worker in turns: ``Announce`` tells that it is there, and what it does;
  ``Renounce`` tells that it has left, so that its evaluation goes to another worker.
* A worker is announced only after it has answered a call of ours, because orders must be able to
  reach it. A renewal shows only that the worker can reach us.
* A worker is taken to be there for the length of its *lease*: some heartbeats from its last sign of
  life, which is a renewal or an answer. Silence runs down the lease; a refused connection ends it.
* Workers of ours renew their lease and name the attempt they are at. A stock HpBandSter worker does
  neither: it is asked in every heartbeat, and if it is busy when it is met nobody can tell with
  what, so it is announced only when it is idle.
* An order is brought again and again until the worker has taken it, its result has come, or the
  worker is gone. An order of this master is brought at once. An order of the previous master may
  have been brought already, so it is brought only if the worker is idle without a result.
* A worker that is idle again and again while its result is awaited has lost it.
* If an attempt is lost because its worker died or hangs, or takes longer than it may, the scheduler
  hears so before it hears that the worker has left (:mod:`bohb_seg.master.lease`).

:mod:`bohb_seg.master.worker_states` holds the states, :mod:`bohb_seg.master.worker_events` the
events and instructions; :mod:`bohb_seg.master.worker_link` carries the instructions out.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from math import inf
from typing import Final, Literal, assert_never, final

from bohb_seg.master.lease import Lease
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
    LinkFailed,
    MasterCloses,
    OrderGiven,
    Parted,
    Renewed,
    Renounce,
    ReportLost,
    ResultCame,
    Took,
)
from bohb_seg.master.worker_states import NOT_MET, UNKNOWN_TO_SCHEDULER, State, StateRecord
from bohb_seg.search.events import Evaluate
from bohb_seg.trials import Attempt

IDLE_LOOKS_UNTIL_LOST: Final = 3
"""Looks in a row that find a worker idle while its result is awaited. A single one proves nothing:
the result may be on its way."""


@dataclass(frozen=True)
class Past:
    """A worker that the previous master had, as the scheduler remembers it.

    Args:
        order: The order whose result has not come; None if the worker was idle.
    """

    order: Evaluate | None


@final
class WorkerLife:
    """The state of one worker, and what follows from each event.

    Args:
        now: Seconds on a clock that never goes back; the same clock as for :meth:`handle`.
        heartbeat: Seconds between two signs of life.
        past: The worker's past under the previous master; None if it is new to the scheduler.
        limit: Seconds that an attempt may take.
    """

    def __init__(
        self, now: float, heartbeat: float, past: Past | None = None, limit: float = inf
    ) -> None:
        self._record = StateRecord("assumed" if past else "unmet")
        self._order = past.order if past else None
        self._attempt = _attempt_of(self._order) if self._order else None
        self.lease = Lease(now, heartbeat, self._attempt, limit)
        self._later: deque[Evaluate] = deque()
        self._asked = self._renews = False
        self._idle_looks = 0

    @property
    def state(self) -> State:
        """The present state."""
        return self._record.now

    @property
    def over(self) -> bool:
        """Whether nothing more will happen."""
        return self._record.is_last

    def wants(self, call: Call) -> bool:
        """Whether a call that was instructed earlier should still be made."""
        if isinstance(call, Bring):
            return self.state == "delivering" and self._order == call.order
        return not (self.over and isinstance(call, Ask))

    def handle(self, event: LifeEvent, now: float) -> list[Instruction]:
        """Takes one event; returns what is to be done, in this order."""
        if self.over:
            return []
        self.lease.now = now
        if isinstance(event, Answered | Took | Renewed):
            self.lease.renew()
        instructions = [*self._follow(event)]
        self.lease.mind(self._attempt)
        return instructions

    def _follow(self, event: LifeEvent) -> Iterator[Instruction]:
        match event:
            case Answered():
                yield from self._hear(event)
            case Took(order):
                if self.wants(Bring(order)):  # else its result was faster than this answer
                    yield from self._settle("at work")
            case CallFailed():
                yield from self._fail(event)
            case Renewed(busy):
                self._renews = True
                yield from self._compare(busy)
            case OrderGiven(order):
                yield from self._accept(order)
            case ResultCame(attempt):
                yield from self._finish(attempt)
            case ConnectionLost():
                self.lease.cut()
                yield from self._ask()
            case LinkFailed() | Parted():
                yield from self._leave(Forget() if isinstance(event, Parted) else None)
            case HeartbeatPassed():
                yield from self._look_after(event.hangs)
            case MasterCloses(dismiss):
                self._move("closed")
                yield from [Dismiss()] if dismiss else []
            case never:
                assert_never(never)

    def _hear(self, answer: Answered) -> Iterator[Instruction]:
        self._asked = False
        meet = {"unmet": self._meet, "assumed": self._meet_again}.get(self.state)
        yield from meet(answer) if meet else self._compare(answer.busy)

    def _meet(self, answer: Answered) -> Iterator[Instruction]:
        """Announces the worker, unless it is busy with something that nobody waits for."""
        if answer.busy and answer.attempt is None:
            return
        self._attempt = answer.attempt
        yield Announce(answer.attempt)
        yield from self._settle("at work" if answer.attempt else "idle")

    def _meet_again(self, answer: Answered) -> Iterator[Instruction]:
        """Finds out whether the scheduler is right about a worker of the previous master."""
        if answer.names_attempt and answer.busy and answer.attempt is None:
            return  # it offers a result that is recorded, or will hear that nobody wants it
        if not answer.busy and self._attempt is None:
            yield from self._settle("idle")
        elif answer.names_attempt and answer.attempt == self._attempt:
            yield from self._settle("at work")
        elif answer.names_attempt and not answer.busy and self._order is not None:
            self._later.appendleft(self._order)  # the previous master died before it was brought
            yield from self._deliver_next()
        else:
            yield from self._renounce()
            self._move("unmet")
            yield from self._meet(answer)

    def _accept(self, order: Evaluate) -> Iterator[Instruction]:
        if self.state == "unmet":
            return  # the scheduler is about to hear that the worker left, and gives it to another
        self._later.append(order)
        yield from [] if self._order else self._deliver_next()

    def _deliver_next(self) -> Iterator[Instruction]:
        if self._later:
            self._order, self._idle_looks = self._later.popleft(), 0
            self._attempt = _attempt_of(self._order)
            self._move("delivering")
            yield Bring(self._order)

    def _settle(self, state: Literal["idle", "at work"]) -> Iterator[Instruction]:
        """Ends a meeting, a delivery or an attempt; then it is the next order's turn."""
        self._order, self._idle_looks = None, 0
        self._move(state)
        yield from self._deliver_next()

    def _finish(self, attempt: Attempt) -> Iterator[Instruction]:
        if attempt == self._attempt:
            self._order = self._attempt = None
            yield from self._deliver_next() if self.state == "assumed" else self._settle("idle")

    def _compare(self, busy: bool) -> Iterator[Instruction]:
        """Counts the looks at which the worker is idle though its result is awaited."""
        awaited = self._attempt if self.state != "delivering" else None
        self._idle_looks = self._idle_looks + 1 if awaited and not busy else 0
        if awaited and self._idle_looks >= IDLE_LOOKS_UNTIL_LOST:
            self._idle_looks = 0
            yield ReportLost(awaited)
            yield from self._finish(awaited)

    def _ask(self) -> Iterator[Instruction]:
        if not self._asked:
            self._asked = True
            yield Ask()

    def _look_after(self, hangs: bool = False) -> Iterator[Instruction]:
        if self.lease.is_over:
            yield from self._report_loss(hangs=hangs)
            yield from self._leave(Complain() if self.state in NOT_MET else None)
        elif self.state in NOT_MET or not self._renews:
            yield from self._ask()

    def _fail(self, failure: CallFailed) -> Iterator[Instruction]:
        self._asked = self._asked and not isinstance(failure.call, Ask)
        if failure.refused:
            yield from [Complain()] if self.state == "unmet" else []
            yield from self._report_loss(failure.process_ended)
            yield from self._leave(Forget())
        elif self.lease.is_over or self.state in NOT_MET:
            yield from self._look_after(failure.hangs)
        elif isinstance(failure.call, Bring) and self.wants(failure.call):
            yield failure.call

    def _report_loss(self, ended: bool = False, hangs: bool = False) -> Iterator[Instruction]:
        why = self.lease.why_lost(ended, hangs)
        if why and self._attempt and self.state in ("delivering", "at work"):
            yield ReportLost(self._attempt, why)

    def _leave(self, last: Forget | Complain | None) -> Iterator[Instruction]:
        yield from self._renounce()
        self._move("gone")
        yield from [last] if last else []

    def _renounce(self) -> Iterator[Instruction]:
        self._order = self._attempt = None
        self._later.clear()
        if self.state not in UNKNOWN_TO_SCHEDULER:
            yield Renounce()

    def _move(self, state: State) -> None:
        self._record.move(state, str(self._attempt or ""))


def _attempt_of(order: Evaluate) -> Attempt:
    return Attempt(order.evaluation, order.attempt)
