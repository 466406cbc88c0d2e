"""Makes events durable, however long that takes."""

import logging
from collections.abc import Callable, Sequence
from typing import final

from bohb_seg.retry import tries
from bohb_seg.storage.journal import Event
from bohb_seg.storage.run_directory import RunDirectory

_log = logging.getLogger(__name__)


@final
class Recorder:
    """Writes events to the run directory; waits while the disk is full, for nothing may be lost.

    Args:
        directory: The run directory.
        is_stopped: Tells whether the master was told to leave.
    """

    def __init__(self, directory: RunDirectory, is_stopped: Callable[[], bool]) -> None:
        self._directory, self._is_stopped = directory, is_stopped
        self.is_paused = False
        """Whether the latest events could not be written: workers must keep their results."""

    def record(self, events: Sequence[Event]) -> bool:
        """Writes events.

        Returns:
            False if the master was told to leave before there was room for them.
        """
        run_dir = self._directory.path
        for waiting in tries(f"{run_dir} cannot be written", hurry=self._is_stopped):
            try:
                self._directory.record(events)
            except OSError as error:
                waiting.because(error)
                self._pause(error)
            else:
                self._go_on()
                return True
            if self._is_stopped():
                break
        return False

    def _pause(self, error: OSError) -> None:
        if not self.is_paused:
            _log.warning(
                "paused: %s cannot be written (%s); make room and the run goes on",
                *(self._directory.path, error.strerror),
            )
        self.is_paused = True

    def _go_on(self) -> None:
        if self.is_paused:
            _log.info("going on: there is room again")
        self.is_paused = False
