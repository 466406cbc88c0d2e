"""The one loop in which a search happens.

News come in through the transport, are given to the scheduler, are written to the journal together
with the orders that follow from them, and only then the orders are carried out and the workers told
that their results are safe. A master that was killed therefore finds everything it did in its
journal: ``--resume`` replays it, and whatever it had not written down yet its workers still hold.
While the disk is full it waits, and nothing new is handed out. Only what is written down is
displayed.
"""

import contextlib
import logging
import math
import time
from collections.abc import Collection, Sequence
from itertools import chain
from typing import Final, final

from bohb_seg.dashboard.launcher import Dashboard
from bohb_seg.master import last_words, run_setup
from bohb_seg.master.conclusion import conclude
from bohb_seg.master.console import Display
from bohb_seg.master.executor import Executor
from bohb_seg.master.gathering import Gathering
from bohb_seg.master.local_workers import LocalWorkers
from bohb_seg.master.recorder import Recorder
from bohb_seg.master.stop_signals import StopSignals
from bohb_seg.rpc.names import is_dead, process_here
from bohb_seg.search.events import (
    Evaluate,
    Evaluated,
    News,
    Order,
    Settled,
    StopRequested,
    WorkersChanged,
)
from bohb_seg.search.first_failures import ENOUGH
from bohb_seg.settings import SearchSettings
from bohb_seg.storage.journal import Journal
from bohb_seg.storage.journal_entries import Entry, Event, RunResumed
from bohb_seg.storage.run_directory import RunDirectory
from bohb_seg.trials import trial_key

TURN: Final = 0.5
"""Seconds between two looks at clock and children while no news come."""

_log = logging.getLogger(__name__)


@final
class Master:
    """One run, from its settings to its report.

    Args:
        settings: All settings of the run.
        past: The journal so far; empty for a new run.
        journal: The journal of the run to go on with, open.

    Raises:
        BohbSegError: the settings or the data must be changed.
        JournalError: the journal is not that of a run.
    """

    def __init__(
        self, settings: SearchSettings, past: Sequence[Entry], journal: Journal | None = None
    ) -> None:
        self._settings, self._journal = settings, journal
        self._run = run_setup.assemble(settings, past)
        self._scheduler = self._run.scheduler
        self._transport = run_setup.new_transport(settings)
        self._display = Display(settings)
        self._gathering = Gathering(settings.min_workers, is_complete=bool(past))
        self._signals = StopSignals()
        self._failed_before = self._scheduler.first_failures.alike
        self._failure = ""

    def run(self, dashboard: Dashboard) -> int:
        """Searches, compares and reports; returns the exit status."""
        self._transport.bind(resuming=bool(self._run.past))
        run = self._run
        self._directory = RunDirectory(self._settings, run.start, run.past, self._journal)
        with contextlib.closing(self._directory), self._signals:
            self._search(dashboard)
            self._recorder.look_after()
            return conclude(self._directory, self._scheduler, self._signals.received, self._failure)

    def _search(self, dashboard: Dashboard) -> None:
        self._recorder = Recorder(self._directory, lambda: self._signals.received)
        self._executor = Executor(self._transport, self._directory, self._scheduler)
        workers = LocalWorkers(self._settings, self._transport.nameserver)
        try:
            with self._display:
                self._begin()
                self._say_where()
                workers.start()
                dashboard.start()
                self._loop(workers, dashboard)
        finally:
            self._transport.close(dismiss=self._dismisses)
            workers.stop()

    @property
    def _dismisses(self) -> bool:
        """Whether workers may go: not if the next master needs them, or what they still hold."""
        if self._recorder.lost is not None:
            return not self._recorder.lost.is_taken
        goes_on = self._settings.restartable and not self._scheduler.finished
        return not (self._recorder.is_paused or goes_on)

    def _say_where(self) -> None:
        settings, (host, port) = self._settings, self._transport.nameserver
        self._directory.tell_nameserver((host, port))
        join = f"bohb-worker --host {host} --port {port} --run-id {settings.run_id}"
        if settings.tls:
            join += f" --tls {settings.tls}"
        self._display.join_command = join
        where = settings.run_id, settings.run_dir, join
        _log.info("run %s in %s; more workers join with '%s'", *where)
        _log.info("%s", run_setup.outlook(settings, self._run.start))

    def _begin(self) -> None:
        """Starts the journal, or goes on with it; then begins to serve."""
        if self._run.past:
            self._resume()
        else:
            self._serve()

    def _resume(self) -> None:
        """The workers of the past may live and be at work: each has a lease to show itself."""
        run = self._run
        self._recorder.record([*run.changes, *run.due, RunResumed()])
        for entry in run.past:
            if isinstance(entry.event, Evaluated):
                self._transport.learn(entry.event)
        self._directory.checkpoints.keep_only(self._scheduler.live)
        past = run.workers
        dead = tuple(name for name in past if is_dead(name))
        late = [order for name in dead if (order := past[name])]
        self._serve({name: order for name, order in past.items() if name not in dead}, late)
        # Orders to evaluate went with the workers of the past.
        self._executor.carry_out(order for order in run.due if not isinstance(order, Evaluate))
        if dead:
            self._handle([WorkersChanged(left=dead)])
        if run.growth:
            self._handle([run.growth])

    def _serve(
        self, past: dict[str, Evaluate | None] | None = None, late: Sequence[Evaluate] = ()
    ) -> None:
        storage = self._directory.storage
        storage.permit = self._transport.demand_writer
        terms = run_setup.terms(self._settings, self._run.start, storage.token)
        self._transport.serve(terms, storage, past, late)

    def _loop(self, workers: LocalWorkers, dashboard: Dashboard) -> None:
        deadline = time.monotonic() + 3600 * (self._settings.max_hours or math.inf)
        while not (self._scheduler.finished or self._signals.received or self._failure):
            news = self._gathering.admit(self._transport.receive(TURN))
            self._handle([last_words.explained(each, workers.end_of) for each in news])
            self._recorder.look_after()
            met = self._gathering.met or bool(self._scheduler.workers)
            workers.look_after(met, self._busy_processes())
            dashboard.look_after()
            self._keep_cap()
            if time.monotonic() > deadline:
                self._handle([StopRequested("--max-hours is over")])
                deadline = math.inf
            self._display.show(self._scheduler.progress)
            self._failure = self._transport.fault() or self._why_all_fail()

    def _handle(self, news: Sequence[News]) -> None:
        """News to the scheduler, then both to the journal, then the orders are carried out."""
        events: list[Event] = []
        orders: list[list[Order]] = []
        for item in news:
            orders.append(self._scheduler.handle(item))
            events += [item, *orders[-1]]
        if not self._recorder.record(events):
            return
        self._executor.carry_out(chain.from_iterable(orders))
        for item in news:
            if isinstance(item, Evaluated):
                self._transport.learn(item)
                self._transport.recorded(item)
        for item, follow in zip(news, orders, strict=True):
            self._display.tell(item, counts=any(isinstance(order, Settled) for order in follow))

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
