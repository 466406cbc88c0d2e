"""``bohb-master``: settings, and the one loop in which a search happens.

News come in through the transport, are given to the scheduler, are written to the journal together
with the orders that follow from them, and only then the orders are carried out and the workers told
that their results are safe. A master that was killed therefore finds everything it did in its
journal: ``--resume`` replays it, and whatever it had not written down yet its workers still hold.
While the disk is full it waits, and nothing new is handed out.
"""

import dataclasses
import logging
import math
import os
import signal
import time
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import Any

from bohb_seg import plugins, spaces
from bohb_seg.dashboard.launcher import Dashboard
from bohb_seg.errors import EXIT_STOPPED_EARLY, JournalError
from bohb_seg.master.console import Display
from bohb_seg.master.data_check import check_data
from bohb_seg.master.local_workers import LocalWorkers
from bohb_seg.master.transport import Terms, Transport
from bohb_seg.report import write_report
from bohb_seg.rpc import names
from bohb_seg.search import hyperband
from bohb_seg.search.data_facts import Facts
from bohb_seg.search.events import (
    BracketFinished,
    Discard,
    Evaluate,
    Evaluated,
    Finish,
    News,
    Order,
    Settled,
    StopRequested,
    WorkersChanged,
)
from bohb_seg.search.plan import Plan
from bohb_seg.search.scheduler import Scheduler
from bohb_seg.settings import SearchSettings, TrainingSettings
from bohb_seg.storage import run_directory, warm_start
from bohb_seg.storage.journal import FILE_NAME, Entry, Event, RunResumed, RunStarted
from bohb_seg.storage.run_directory import RunDirectory
from bohb_seg.trials import Attempt

TURN = 0.5
"""Seconds between two looks at clock and children while no news come."""
SAY_EVERY = 30.0
"""Seconds between two lines that tell what the master waits for."""
SIGNALS = signal.SIGINT, signal.SIGTERM

_log = logging.getLogger(__name__)


class Master:
    """One run, from its settings to its report.

    Args:
        settings: All settings of the run.
        past: The journal so far; empty for a new run.
    """

    def __init__(self, settings: SearchSettings, past: Sequence[Entry]) -> None:
        self.settings, self._past = settings, past
        self._start = run_directory.started(past) or self._new_start()
        self._scheduler = self._new_scheduler()
        self._due = self._replay()
        self._transport = self._new_transport()
        self._display = Display(settings)
        self._interrupted = self._paused = False
        self._enough, self._here = bool(past), 0

    def run(self, dashboard: Dashboard) -> int:
        """Searches, compares and reports; returns the exit status."""
        self._transport.bind(resuming=bool(self._past))
        self._directory = RunDirectory(self.settings, self._start, self._past)
        workers = LocalWorkers(self.settings, self._transport.nameserver)
        previous = {number: signal.signal(number, self._interrupt) for number in SIGNALS}
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
            self._directory.close()
            for number, handler in previous.items():
                signal.signal(number, handler)
        return self._conclude()

    @property
    def _dismisses(self) -> bool:
        """Whether workers may go: not if the next master needs them, or what they still hold."""
        goes_on = self.settings.restartable and not self._scheduler.finished
        return not (self._paused or goes_on)

    def _say_where(self) -> None:
        (host, port), run_id = self._transport.nameserver, self.settings.run_id
        self._directory.tell((host, port))
        join = f"bohb-worker --host {host} --port {port} --run-id {run_id}"
        if self.settings.tls:
            join += f" --tls {self.settings.tls}"
        self._display.join_command = join
        _log.info("run %s in %s; more workers join with '%s'", run_id, self.settings.run_dir, join)

    def _conclude(self) -> int:
        again = f"bohb-master --resume --run-dir {self.settings.run_dir}"
        try:
            self._directory.write_results(self._incumbent())
            self._directory.keep_only(self._scheduler.live)
            self._directory.keep_model()
            report = write_report(self.settings.run_dir)
        except OSError as error:
            _log.error(
                "%s cannot be written (%s); make room, then write results and report with '%s'",
                *(self.settings.run_dir, error.strerror, again),
            )
            return EXIT_STOPPED_EARLY
        if self._interrupted:
            _log.warning("stopped early; go on with '%s'", again)
            return EXIT_STOPPED_EARLY
        self._directory.tell(None)
        _log.info("done; the report is %s", report)
        return 0

    # --- beginning -------------------------------------------------------------------------

    def _new_start(self) -> RunStarted:
        # What is bad here is told before the data take their time.
        spaces.load(self.settings.space)
        runs = warm_start.read(self.settings.warm_start)
        data = {} if self.settings.worker == "toy" else check_data(self.settings)
        facts = Facts.of(data, self.settings.patch_size) if data else None
        space = spaces.load(self.settings.space, facts)
        start = RunStarted(
            settings=self.settings.model_dump(mode="json", exclude={"cache_dir"}),
            space=spaces.to_json(space),
            data=data,
            default=spaces.plain(space.get_default_configuration()),
        )
        return dataclasses.replace(start, earlier=warm_start.comparable(runs, start))

    def _new_scheduler(self) -> Scheduler:
        settings = self.settings
        ladder = hyperband.Ladder(settings.min_budget, settings.max_budget, settings.eta)
        build = plugins.find("optimizers", settings.optimizer).build
        plan = Plan(
            n_iterations=settings.n_iterations,
            max_attempts=settings.max_attempts,
            comparison_epochs=settings.final_epochs if settings.comparison else None,
            comparison_seeds=settings.final_seeds,
            candidates=settings.final_candidates,
            max_evaluations=settings.max_evaluations,
            max_epochs=settings.max_epochs,
            target_loss=settings.target_loss,
            continuing=settings.continue_,
        )
        # Out of the journal, so that a run goes on in its own space if the file has changed since,
        # and needs the directories of earlier runs no more.
        optimizer = build(spaces.from_json(self._start.space), ladder, settings.seed)
        for observation in self._start.earlier:
            optimizer.observe(*observation)
        return Scheduler(optimizer, plan, self._start.default)

    def _new_transport(self) -> Transport:
        settings = self.settings
        return Transport(
            run_id=settings.run_id,
            host=settings.host,
            port=settings.port,
            external=_address(settings.nameserver),
            working_directory=str(settings.run_dir.resolve()),
            heartbeat=settings.heartbeat,
        )

    def _terms(self, token: str) -> Terms:
        settings = self.settings
        told = settings.model_dump(mode="json", include=set(TrainingSettings.model_fields))
        if settings.data not in plugins.names("datasets"):
            told["data"] = str(Path(settings.data).resolve())
        del told["log_level"], told["cache_dir"]
        facts = {
            name: str(self._start.data.get(name, "")) for name in ("fingerprint", "split_hash")
        }
        return Terms(told, token, {"version": version("bohb-seg"), **facts})

    def _replay(self) -> list[Order]:
        """Feeds the past news to the scheduler; returns the orders a crash kept from the journal.

        Raises:
            JournalError: the recorded orders are not those that follow from the news.
        """
        due: list[Order] = []
        for line, entry in enumerate(self._past, start=1):
            match entry.event:
                case WorkersChanged() | Evaluated() | StopRequested() as news:
                    due += self._scheduler.handle(news)
                case RunStarted() | RunResumed():
                    pass
                case order:
                    if not due or due.pop(0) != order:
                        path = self.settings.run_dir / FILE_NAME
                        raise JournalError(path, line, "this order does not follow from the news")
        return due

    # --- the loop --------------------------------------------------------------------------

    def _begin(self) -> None:
        """Starts the journal, or goes on with it; then begins to serve.

        The workers of the past may live and be at work: each has a lease to make itself known.
        """
        storage = self._directory.storage
        if not self._past:
            self._transport.serve(self._terms(storage.token), storage)
            return
        self._record([*self._due, RunResumed()])
        for entry in self._past:
            if isinstance(entry.event, Evaluated):
                self._transport.learn(entry.event)
        self._directory.keep_only(self._scheduler.live)
        running = {Attempt(o.evaluation, o.attempt): o for o in self._ordered()}
        past = {
            name: running[attempt] if attempt else None
            for name, attempt in self._scheduler.workers.items()
        }
        dead = tuple(name for name in past if names.is_dead(name))
        living = {name: order for name, order in past.items() if name not in dead}
        self._transport.serve(self._terms(storage.token), storage, living)
        self._carry_out(order for order in self._due if not isinstance(order, Evaluate))
        if dead:
            self._handle([WorkersChanged(left=dead)])

    def _ordered(self) -> Iterator[Evaluate]:
        events = [entry.event for entry in self._past]
        return (event for event in [*events, *self._due] if isinstance(event, Evaluate))

    def _loop(self, workers: LocalWorkers, dashboard: Dashboard) -> None:
        deadline = time.monotonic() + 3600 * (self.settings.max_hours or math.inf)
        waiting: list[News] = []
        while not (self._scheduler.finished or self._interrupted):
            waiting = self._until_enough(waiting + self._transport.receive(TURN))
            workers.look_after()
            dashboard.look_after()
            self._keep_cap()
            if time.monotonic() > deadline:
                self._handle([StopRequested("--max-hours is over")])
                deadline = math.inf
            self._display.show(self._scheduler.progress)

    def _until_enough(self, waiting: list[News]) -> list[News]:
        """Holds news back until ``--min-workers`` are there once; returns what is still held."""
        joined = {name for news in waiting for name in getattr(news, "joined", ())}
        self._enough |= len(joined) >= self.settings.min_workers
        if not self._enough:
            if len(joined) != self._here:
                _log.info(
                    "%d of the --min-workers %d are here", len(joined), self.settings.min_workers
                )
            self._here = len(joined)
            return waiting
        self._handle(waiting)
        return []

    def _handle(self, news: Sequence[News]) -> None:
        """News to the scheduler, then both to the journal, then the orders are carried out."""
        events: list[Event] = []
        orders: list[Order] = []
        for item in news:
            follow = self._scheduler.handle(item)
            events += [item, *follow]
            orders += follow
            self._display.tell(item, counts=any(isinstance(order, Settled) for order in follow))
        if self._record(events):
            self._carry_out(orders)
            for item in news:
                if isinstance(item, Evaluated):
                    self._transport.learn(item)
                    self._transport.recorded(item)

    def _record(self, events: Sequence[Event]) -> bool:
        """Makes events durable; waits as long as there is no room, for nothing may be lost.

        Returns:
            False if the master was told to leave while it waited: its workers keep their results.
        """
        said = -math.inf
        while True:
            try:
                self._directory.record(events)
            except OSError as error:
                self._paused = True
                if time.monotonic() - said > SAY_EVERY:
                    said = time.monotonic()
                    _log.warning(
                        "paused: %s cannot be written (%s); make room and the run goes on",
                        *(self.settings.run_dir, error.strerror),
                    )
            else:
                if self._paused:
                    _log.info("going on: there is room again")
                self._paused = False
                return True
            if self._interrupted:
                return False
            time.sleep(TURN)

    def _keep_cap(self) -> None:
        """Removes checkpoints that ``--checkpoint-gb`` has no room for."""
        attempts = self._scheduler.workers.values()
        for trial in self._directory.keep_cap({a.evaluation.trial for a in attempts if a}):
            _log.warning(
                "removed the checkpoint of trial %s: --checkpoint-gb %g is used up; if it is"
                " promoted it starts again",
                *("-".join(map(str, trial)), self.settings.checkpoint_gb),
            )

    def _carry_out(self, orders: Iterable[Order]) -> None:
        for order in orders:
            match order:
                case Evaluate():
                    self._transport.send(order)
                case Settled():
                    self._transport.settled(order.evaluation)
                case Discard():
                    self._directory.discard(order.trial)
                case BracketFinished():
                    self._write_results_aside()
                case Finish():
                    _log.info("finished: %s", order.reason)

    def _write_results_aside(self) -> None:
        try:
            self._directory.write_results_aside(self._incumbent())
        except OSError as error:
            _log.warning("the results could not be written (%s); they follow", error.strerror)

    def _incumbent(self) -> dict[str, Any] | None:
        best = self._scheduler.progress.incumbent
        return dataclasses.asdict(best) if best else None

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        """A first signal ends the loop in good order; a second one ends the process at once."""
        if self._interrupted:
            os._exit(EXIT_STOPPED_EARLY)
        self._interrupted = True


def _address(text: str | None) -> tuple[str, int] | None:
    if text is None:
        return None
    host, _, port = text.rpartition(":")
    return host, int(port)
