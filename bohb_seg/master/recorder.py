"""Makes events durable, however long that takes."""

import contextlib
import logging
import math
from collections.abc import Callable, Sequence
from typing import final

from bohb_seg.errors import RunLostError, RunMissingError
from bohb_seg.retry import Retry, wait_until
from bohb_seg.storage.journal_entries import Event
from bohb_seg.storage.run_directory import RunDirectory

SAY_EVERY = 30.0
"""Seconds between two lines about a disk that is still full."""
RETURN_WITHIN = 10.0
"""Seconds within which a run directory that is missing may come back, as after a lost mount."""

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
        self.lost: RunLostError | None = None
        """Why nothing can be written any more, if the run directory is not this master's."""

    def record(self, events: Sequence[Event]) -> bool:
        """Writes events.

        Returns:
            False if the master was told to leave before there was room for them.

        Raises:
            RunLostError: the run directory is gone, or another master has it.
        """
        retry = self._retry("cannot be written", "make room and the run goes on")
        while True:
            try:
                self.check()
                self._directory.record(events)
            except OSError as error:
                self.is_paused = True
                if self._is_stopped():
                    return False
                retry.pause(error.strerror)
            except RunMissingError:  # in this moment: look again
                continue
            except RunLostError as error:
                self.lost = error
                raise
            else:
                break
        if self.is_paused:
            _log.info("going on: there is room again")
        self.is_paused = False
        return True

    def check(self) -> None:
        """Makes sure that the run directory is this master's; waits for one that is missing.

        Raises:
            RunLostError: it is gone, or another master has it.
            OSError: it cannot be looked at.
        """
        retry = self._retry("is missing", "put it back", patience=RETURN_WITHIN)
        while True:
            try:
                return self._directory.check()
            except RunMissingError:
                if self._is_stopped() or not retry.pause():
                    self.lost = RunLostError(self._directory.rescue())
                    raise self.lost from None
            except RunLostError as error:
                self.lost = error
                raise

    def look_after(self) -> None:
        """Does the same while there is nothing to write.

        Raises:
            RunLostError: the run directory is gone, or another master has it.
        """
        with contextlib.suppress(OSError):  # whoever writes next waits and says so
            self.check()

    def _retry(self, problem: str, remedy: str, patience: float = math.inf) -> Retry:
        return Retry(
            f"paused: {self._directory.path} {problem}",
            remedy,
            patience=patience,
            level=logging.WARNING,
            say_every=SAY_EVERY,
            wait=wait_until(self._is_stopped),
        )
