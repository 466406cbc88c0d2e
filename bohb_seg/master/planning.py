"""Before a run with ``--hours`` or ``--plan``: workers are measured, and a plan is made of it.

Nothing is in the journal yet. A master that is killed here has begun no run: the next one measures
again, and its time counts from its own beginning.
"""

import dataclasses
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

from bohb_seg.errors import ServiceError
from bohb_seg.master import deadline, run_setup
from bohb_seg.master.local_workers import LocalWorkers
from bohb_seg.master.measuring import Measurement
from bohb_seg.master.transport import Transport
from bohb_seg.rpc.names import NAMESERVER_FILE, process_here
from bohb_seg.search.events import Evaluated
from bohb_seg.settings import SearchSettings
from bohb_seg.storage import run_clock
from bohb_seg.storage.journal import FILE_NAME
from bohb_seg.storage.journal_entries import RunStarted
from bohb_seg.storage.run_lock import FILE_NAME as HOLDER
from bohb_seg.trials import CHECKPOINTS

TURN: Final = 0.5
"""Seconds between two looks at clock and children while no news come."""
PATIENCE: Final = 60.0
"""Seconds for which workers that are late are waited for where there is no deadline."""
SHARE: Final = 0.03
"""Share of the hours for which they are waited for, and after which one measurement is enough."""
MOST: Final = 0.5
"""Share of the hours in which workers must be measured."""
_EMPTY: Final = (FILE_NAME, HOLDER, NAMESERVER_FILE, "results.json", "configs.json")
"""Files of a run that has not begun."""


@dataclass(frozen=True)
class Planned:
    """A plan that was made.

    Args:
        settings: The whole settings.
        start: The first entry of the run's journal.
        words: The plan in words.
    """

    settings: SearchSettings
    start: RunStarted
    words: str


@final
class Planning:
    """Measures workers and makes the plan.

    Args:
        settings: Settings as they were given.
        start: The first entry of the journal, as far as it is known.
        transport: Leads to the workers; it serves.
        is_stopped: Tells whether the master was told to leave.
    """

    def __init__(
        self,
        settings: SearchSettings,
        start: RunStarted,
        transport: Transport,
        is_stopped: Callable[[], bool],
    ) -> None:
        self._settings, self._start = settings, start
        self._transport, self._is_stopped = transport, is_stopped
        self._began = run_clock.process_began()

    def measure(self, workers: LocalWorkers, rest: Callable[[], None]) -> Measurement | None:
        """Measures the workers there are.

        Args:
            workers: The local workers; they are waited for.
            rest: Called now and then: displays, and looks after the run directory.

        Returns:
            The measurement; None if the master was told to leave.

        Raises:
            ServiceError: no worker could be measured, or not in time.
        """
        share = None if self._settings.hours is None else SHARE * 3600 * self._settings.hours
        measurement = Measurement(
            self._start.default,
            max(self._settings.min_workers, workers.count),
            longest=share or PATIENCE,
            patience=share or PATIENCE,
        )
        while not measurement.is_over(time.monotonic()):
            if self._is_stopped():
                return None
            self._step(measurement)
            busy = {process_here(name) for name in measurement.busy}
            workers.look_after(measurement.met, {each for each in busy if each is not None})
            rest()
            self._refuse(measurement)
        return measurement

    def plan(self, measurement: Measurement) -> Planned:
        """Makes the plan.

        Raises:
            SettingsError: nothing that was asked for ends in time.
        """
        paces, asked = measurement.paces, self._settings
        elapsed = run_clock.seconds_since(self._began)
        layout = run_setup.layout(asked, self._start)
        settings, words = deadline.planned(asked, paces, layout, elapsed)
        record = deadline.record(self._began, asked, paces, words) if asked.hours else {}
        start = dataclasses.replace(
            self._start, settings=run_setup.recorded(settings), deadline=record
        )
        return Planned(settings, start, words)

    def _step(self, measurement: Measurement) -> None:
        news = self._transport.receive(TURN)
        for order in measurement.handle(news, time.monotonic()):
            self._transport.send(order)
        for item in news:
            if isinstance(item, Evaluated):
                self._transport.learn(item)
                self._transport.recorded(item)
                self._transport.settled(item.evaluation)

    def _refuse(self, measurement: Measurement) -> None:
        if fault := self._transport.fault():
            raise ServiceError(f"workers cannot be measured: {fault}; start again")
        if measurement.is_in_vain:
            why = measurement.failure.strip().rpartition("\n")[2]
            raise ServiceError(f"the default cannot be trained, so nothing is measured: {why}")
        hours = self._settings.hours
        if hours is not None and run_clock.seconds_since(self._began) > MOST * 3600 * hours:
            raise ServiceError(
                f"--hours {hours:g}: within half of it no worker trained the default for a few"
                " epochs; give more hours, or more and faster workers"
            )


def clear(run_dir: Path, is_new: bool) -> None:
    """Removes what a master leaves that began no run.

    Args:
        run_dir: The run directory; no master has it any more.
        is_new: Whether that master made it.
    """
    if is_new:
        shutil.rmtree(run_dir, ignore_errors=True)
        return
    shutil.rmtree(run_dir / CHECKPOINTS, ignore_errors=True)
    journal = run_dir / FILE_NAME
    if journal.exists() and journal.stat().st_size == 0:
        for name in _EMPTY:
            (run_dir / name).unlink(missing_ok=True)
