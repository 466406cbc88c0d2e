"""The one loop in which a search happens.

News come in through the transport, are given to the scheduler, are written to the journal together
with the orders that follow from them, and only then the orders are carried out and the workers told
that their results are safe. A master that was killed therefore finds everything it did in its
journal: ``--resume`` replays it, and whatever it had not written down yet its workers still hold.
While the disk is full it waits, and nothing new is handed out. Only what is written down is
displayed. With ``--hours`` the plan is corrected in between, which is news like all others.
"""

import logging
import math
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final, final

from bohb_seg.dashboard.launcher import Dashboard
from bohb_seg.master import last_words
from bohb_seg.master.console import Display
from bohb_seg.master.deadline import Deadline
from bohb_seg.master.executor import Executor
from bohb_seg.master.gathering import Gathering
from bohb_seg.master.local_workers import LocalWorkers
from bohb_seg.master.measuring import Measurement
from bohb_seg.master.recorder import Recorder
from bohb_seg.master.run_setup import Run
from bohb_seg.master.transport import Transport
from bohb_seg.rpc.names import is_dead, process_here
from bohb_seg.search.events import (
    Evaluate,
    Evaluated,
    News,
    Order,
    PlanChanged,
    Settled,
    StopRequested,
    WorkersChanged,
)
from bohb_seg.search.first_failures import ENOUGH
from bohb_seg.storage.journal_entries import Event, RunResumed
from bohb_seg.storage.run_directory import RunDirectory
from bohb_seg.trials import trial_key

TURN: Final = 0.5
"""Seconds between two looks at clock and children while no news come."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Means:
    """Everything through which a loop has effects.

    Args:
        transport: Leads to the workers.
        directory: The run directory.
        recorder: Writes to it.
        display: Shows what happens.
        is_stopped: Tells whether the master was told to leave.
    """

    transport: Transport
    directory: RunDirectory
    recorder: Recorder
    display: Display
    is_stopped: Callable[[], bool]


@final
class Loop:
    """The loop of one start of a run.

    Args:
        run: The run.
        means: Everything through which it has effects.
        deadline: The end of the run, if it has one.
        measured: The measurement that came before the run.

    Attributes:
        failure: Why the loop ended by itself before the run was finished; "" if it did not.
    """

    def __init__(
        self,
        run: Run,
        means: Means,
        deadline: Deadline | None = None,
        measured: Measurement | None = None,
    ) -> None:
        self._run, self._settings, self._scheduler = run, run.settings, run.scheduler
        self._transport, self._directory = means.transport, means.directory
        self._recorder, self._display = means.recorder, means.display
        self._is_stopped = means.is_stopped
        self._deadline, self._measurement = deadline, measured
        self._executor = Executor(self._transport, self._directory, self._scheduler)
        self._gathering = Gathering(self._settings.min_workers, is_complete=bool(run.past))
        self._failed_before = self._scheduler.first_failures.alike
        self.failure = ""

    def resume(
        self, serve: Callable[[dict[str, Evaluate | None], Sequence[Evaluate]], None]
    ) -> None:
        """Goes on with the journal, then begins to serve.

        The workers of the past may live and be at work: each has a lease to show itself.

        Args:
            serve: Begins to serve; is told the orders of the workers that may live, and of those
                that are dead.
        """
        run = self._run
        self._recorder.record([*run.changes, *run.due, RunResumed()])
        for entry in run.past:
            if isinstance(entry.event, Evaluated):
                self._transport.learn(entry.event)
        self._directory.checkpoints.keep_only(self._scheduler.live)
        past = run.workers
        dead = tuple(name for name in past if is_dead(name))
        late = [order for name in dead if (order := past[name])]
        serve({name: order for name, order in past.items() if name not in dead}, late)
        # Orders to evaluate went with the workers of the past.
        self._executor.carry_out(order for order in run.due if not isinstance(order, Evaluate))
        if dead:
            self._handle([WorkersChanged(left=dead)])
        if run.growth:
            self._grow(run.growth)

    def _grow(self, growth: PlanChanged) -> None:
        """Takes the larger plan, and says so if it changes nothing."""
        before = self._scheduler.plan.n_iterations
        self._handle([growth])
        if before < growth.plan.n_iterations and self._scheduler.progress.phase != "search":
            _log.warning(
                "--n-iterations %d adds nothing, because a limit of the run still holds: %s;"
                " start a new run, which may learn from this one: --warm-start %s",
                *(growth.plan.n_iterations, self._scheduler.why_search_ended),
                self._settings.run_dir,
            )
        elif self._scheduler.finished:
            _log.info(
                "nothing is trained for that: the verdict is final, or there is none to reach"
            )

    def begin(self) -> None:
        """Takes over the workers that were measured."""
        if self._measurement is not None:
            there = set(self._measurement.workers) - self._measurement.busy
            joined = tuple(name for name in self._measurement.workers if name in there)
            self._handle(self._gathering.admit([WorkersChanged(joined=joined)]))

    @property
    def is_late(self) -> bool:
        """Whether the time of the run is over, but for that of its report."""
        return self._deadline is not None and self._deadline.is_over

    def run(self, workers: LocalWorkers, dashboard: Dashboard) -> None:
        """Goes on until the run is finished, or there is a reason to leave it."""
        deadline = time.monotonic() + 3600 * (self._settings.max_hours or math.inf)
        while not (self._scheduler.finished or self._is_stopped() or self.failure or self.is_late):
            news = self._gathering.admit(self._received())
            self._handle([last_words.explained(each, workers.end_of) for each in news])
            self._recorder.look_after()
            met = self._gathering.met or bool(self._scheduler.workers)
            workers.look_after(met, self._busy_processes())
            dashboard.look_after()
            self._keep_cap()
            if time.monotonic() > deadline:
                self._handle([StopRequested("--max-hours is over")])
                deadline = math.inf
            if self._deadline is not None:
                self._handle(self._deadline.correction(self._scheduler.progress.phase))
            self._display.brackets = self._scheduler.plan.n_iterations
            self._display.show(self._scheduler.progress)
            self.failure = self._transport.fault() or self._why_all_fail()

    def _received(self) -> Sequence[News]:
        """News for the run; a worker that is still being measured does not belong to it yet."""
        news = self._transport.receive(TURN)
        return self._measurement.admit(news) if self._measurement else news

    def _handle(self, news: Sequence[News]) -> None:
        """News to the scheduler, then both to the journal, then the orders are carried out."""
        events: list[Event] = []
        orders: list[list[Order]] = []
        for item in news:
            orders.append(self._scheduler.handle(item))
            events += [item, *orders[-1]]
        if not self._recorder.record(events):
            return
        if self._deadline is not None:
            for item, follow in zip(news, orders, strict=True):
                self._deadline.follow([item, *follow])
        for item, follow in zip(news, orders, strict=True):
            self._display.tell(item, counts=any(isinstance(order, Settled) for order in follow))
        self._executor.carry_out(chain.from_iterable(orders))
        for item in news:
            if isinstance(item, Evaluated):
                self._transport.learn(item)
                self._transport.recorded(item)
            elif isinstance(item, StopRequested) and not item.waits:
                self._give_up_search()

    def _give_up_search(self) -> None:
        """Lets workers hear that nobody waits for what they train of the search."""
        for attempt in self._scheduler.workers.values():
            if attempt is not None and attempt.evaluation.trial.bracket >= 0:
                self._transport.settled(attempt.evaluation)

    def _busy_processes(self) -> Collection[int]:
        """Process ids of the workers of this machine that are at an evaluation."""
        busy = (name for name, attempt in self._scheduler.workers.items() if attempt)
        return {number for name in busy if (number := process_here(name)) is not None}

    def _why_all_fail(self) -> str:
        """The one message with which the first evaluations of this start failed; "" if not all."""
        failures = self._scheduler.first_failures
        alike = failures.alike - self._failed_before
        if alike < ENOUGH:
            return ""
        return f"the first {alike} evaluations failed alike: {failures.message}"

    def _keep_cap(self) -> None:
        """Removes checkpoints that ``--checkpoint-gb`` has no room for."""
        attempts = self._scheduler.workers.values()
        for trial in self._directory.checkpoints.keep_cap(
            {a.evaluation.trial for a in attempts if a}
        ):
            _log.warning(
                "removed the checkpoint of trial %s: --checkpoint-gb %g is used up; if it is"
                " promoted it starts again",
                *(trial_key(trial), self._settings.checkpoint_gb),
            )
