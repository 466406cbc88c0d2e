"""One run, from its settings to its report.

With ``--hours`` or ``--plan`` the workers are measured first, before the journal begins
(:mod:`bohb_seg.master.planning`). Then there is one loop (:mod:`bohb_seg.master.loop`).
"""

import contextlib
import logging
from collections.abc import Sequence
from typing import final

import click

from bohb_seg.dashboard.launcher import Dashboard
from bohb_seg.errors import EXIT_STOPPED_EARLY, ServiceError, SettingsError
from bohb_seg.master import planning, run_setup
from bohb_seg.master.conclusion import conclude
from bohb_seg.master.console import Display
from bohb_seg.master.deadline import Deadline
from bohb_seg.master.local_workers import LocalWorkers
from bohb_seg.master.loop import Loop, Means
from bohb_seg.master.measuring import Measurement
from bohb_seg.master.planning import Planning
from bohb_seg.master.recorder import Recorder
from bohb_seg.master.stop_signals import StopSignals
from bohb_seg.search.events import Evaluate
from bohb_seg.settings import SearchSettings
from bohb_seg.storage import resume
from bohb_seg.storage.journal import Journal
from bohb_seg.storage.journal_entries import Entry
from bohb_seg.storage.run_directory import RunDirectory

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
        self._settings, self._past, self._journal = settings, past, journal
        self._start = resume.started(past) or run_setup.new_start(settings)
        self._plans = not past and (settings.plan or settings.hours is not None)
        self._run = None if self._plans else run_setup.assemble(settings, past, self._start)
        self._loop: Loop | None = None
        self._transport = run_setup.new_transport(settings)
        self._display = Display(settings)
        self._signals = StopSignals()

    def run(self, dashboard: Dashboard) -> int:
        """Searches, compares and reports; returns the exit status."""
        self._transport.bind(resuming=bool(self._past))
        start, is_new = None if self._plans else self._start, not self._settings.run_dir.exists()
        self._directory = RunDirectory(self._settings, start, self._past, self._journal)
        try:
            with contextlib.closing(self._directory), self._signals:
                self._search(dashboard)
                return self._conclude()
        except ServiceError:
            is_new = False  # the logs of its workers stay: they say why
            raise
        finally:
            if self._run is None:
                planning.clear(self._settings.run_dir, is_new)

    def _search(self, dashboard: Dashboard) -> None:
        self._recorder = Recorder(self._directory, lambda: self._signals.received)
        workers = LocalWorkers(self._settings, self._transport.nameserver)
        try:
            with self._display:
                self._begin()
                self._say_where()
                workers.start()
                if self._plans:
                    self._plan(workers)
                if self._loop is not None:
                    self._say_outlook()
                    dashboard.start()
                    self._loop.run(workers, dashboard)
        finally:
            self._transport.close(dismiss=self._dismisses)
            workers.stop()

    def _begin(self) -> None:
        """Begins to serve, and goes on with the journal if there is one."""
        if self._run is not None:
            self._loop = self._new_loop()
        if self._loop is not None and self._past:
            self._loop.resume(self._serve)
        else:
            self._serve()

    def _new_loop(self, measured: Measurement | None = None) -> Loop:
        run, settings, start = self._run, self._settings, self._start
        assert run is not None
        self._transport.chosen_later = run_setup.chosen_later(settings)
        deadline = None
        if settings.hours is not None:
            plan, layout = run_setup.plan_of(settings, start), run_setup.layout(settings, start)
            deadline = Deadline(settings, start, self._past, plan, layout)
            if run.growth and deadline.is_over:
                raise SettingsError(
                    f"--hours {settings.hours:g} since the run began is over, so it cannot grow;"
                    " add --hours with more"
                )
            self._display.deadline = deadline
        means = Means(
            transport=self._transport,
            directory=self._directory,
            recorder=self._recorder,
            display=self._display,
            is_stopped=lambda: self._signals.received,
        )
        return Loop(run, means, deadline, measured)

    def _plan(self, workers: LocalWorkers) -> None:
        """Measures the workers and makes the plan; begins the run by it, or shows it."""
        asked = self._settings
        before = Planning(asked, self._start, self._transport, lambda: self._signals.received)
        measurement = before.measure(workers, self._recorder.look_after)
        if measurement is None:
            return
        planned = before.plan(measurement)
        if asked.plan:
            click.echo(planned.words)
            return
        _log.info("plan: %s", planned.words)
        self._settings, self._start = planned.settings, planned.start
        self._directory.begin(self._settings, self._start)
        self._run = run_setup.assemble(self._settings, (), self._start)
        self._loop = self._new_loop(measurement)
        self._loop.begin()

    def _conclude(self) -> int:
        """Writes what is to be written; returns the exit status."""
        if self._run is None or self._loop is None:
            return 0 if self._settings.plan else EXIT_STOPPED_EARLY
        self._recorder.look_after()
        is_late = self._loop.is_late and not self._signals.received
        is_stopped = self._signals.received or is_late
        scheduler, failure = self._run.scheduler, self._loop.failure
        return conclude(self._directory, scheduler, is_stopped, failure, is_late)

    @property
    def _dismisses(self) -> bool:
        """Whether workers may go: not if the next master needs them, or what they still hold."""
        if self._run is None:  # workers that know the run's name will wait for it
            return "run_id" not in self._settings.model_fields_set
        if self._recorder.lost is not None:
            return not self._recorder.lost.is_taken
        goes_on = self._settings.restartable and not self._run.scheduler.finished
        return not (self._recorder.is_paused or goes_on)

    def _say_outlook(self) -> None:
        settings, start = self._settings, self._start
        _log.info("%s", run_setup.outlook(settings, start))
        if not self._past and (count := run_setup.without_place(settings, start)):
            _log.warning(
                "%d of the %d recipes to be tried first have no trial in %d bracket%s; give more"
                " --n-iterations",
                *(count, len(start.first), settings.n_iterations),
                "" if settings.n_iterations == 1 else "s",
            )

    def _say_where(self) -> None:
        settings, (host, port) = self._settings, self._transport.nameserver
        self._directory.tell_nameserver((host, port))
        join = f"bohb-worker --host {host} --port {port} --run-id {settings.run_id}"
        if settings.tls:
            join += f" --tls {settings.tls}"
        self._display.join_command = join
        where = settings.run_id, settings.run_dir, join
        _log.info("run %s in %s; more workers join with '%s'", *where)

    def _serve(
        self, past: dict[str, Evaluate | None] | None = None, late: Sequence[Evaluate] = ()
    ) -> None:
        storage = self._directory.storage
        storage.permit = self._transport.demand_writer
        terms = run_setup.terms(self._settings, self._start, storage.token)
        self._transport.serve(terms, storage, past, late)
