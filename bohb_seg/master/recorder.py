"""Makes events durable, however long that takes."""

import logging
from collections.abc import Callable, Sequence
from typing import final

from bohb_seg.retry import Retry, wait_until
from bohb_seg.storage.journal import Event
from bohb_seg.storage.run_directory import RunDirectory

SAY_EVERY = 30.0
"""Seconds between two lines about a disk that is still full."""

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
        retry = Retry(
            f"paused: {self._directory.path} cannot be written",
            "make room and the run goes on",
            level=logging.WARNING,
            say_every=SAY_EVERY,
            wait=wait_until(self._is_stopped),
        )
        while True:
            try:
                self._directory.record(events)
            except OSError as error:
                self.is_paused = True
                if self._is_stopped():
                    return False
                retry.pause(error.strerror)
            else:
                break
        if self.is_paused:
            _log.info("going on: there is room again")
        self.is_paused = False
        return True
