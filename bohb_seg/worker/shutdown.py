"""How a worker process is asked to leave, and how long it has for that."""

import os
import signal
from types import FrameType
from typing import final

from bohb_seg.training.interruption import Interrupted, Interruption

SIGNALS = (signal.SIGTERM, signal.SIGINT)
FORWARDED = signal.SIGUSR1
"""Signal by which a parent process hands a notice on; it may come twice and never ends at once."""
FAREWELL = 30.0
"""Seconds for the last checkpoint after the notice has run out; then the process ends anyway."""


@final
class Shutdown:
    """Whether this process should leave, and how long it has for that.

    An idle process leaves at the first signal. A process with an evaluation asks it to end and
    grants it the notice; after that the evaluation ends where it is, with the state of its last
    epoch. A second signal ends the process at once.

    Attributes:
        notice: Seconds that an evaluation has to end by itself.
        reason: Reason to leave; "" without one.
        evaluation: Interruption of the evaluation that runs; None while the process is idle.
    """

    def __init__(self) -> None:
        self.notice = 0.0
        self.reason = ""
        self.evaluation: Interruption | None = None
        self._told_directly = self._time_was_up = self._leaving = False

    def listen(self) -> None:
        """Begins to obey signals; to be called in the main thread."""
        for number in (*SIGNALS, FORWARDED):
            signal.signal(number, self._told)

    def leave(self) -> None:
        """From now on a first signal interrupts nothing; a second still ends the process."""
        self._leaving = True
        signal.setitimer(signal.ITIMER_REAL, 0)

    @staticmethod
    def ignore_signals() -> None:
        """Lets no signal spoil the exit status while Python ends, which removes the handlers."""
        for number in (*SIGNALS, FORWARDED):
            signal.signal(number, signal.SIG_IGN)

    def _told(self, number: int, frame: FrameType | None) -> None:
        if number != FORWARDED:
            if self._told_directly:
                os._exit(128 + number)
            self._told_directly = True
        if self.reason:
            return
        self.reason = f"told to by {signal.Signals(number).name}"
        if self._leaving:
            return
        if self.evaluation is None:
            raise Interrupted(self.reason)
        self.evaluation.request(self.reason)
        if self.notice:
            self._ring_after(self.notice)
        else:
            self._time_is_up(number, frame)

    def _ring_after(self, seconds: float) -> None:
        signal.signal(signal.SIGALRM, self._time_is_up)
        signal.setitimer(signal.ITIMER_REAL, seconds)

    def _time_is_up(self, number: int, frame: FrameType | None) -> None:
        if self.evaluation is None or self._leaving:
            return
        if self._time_was_up:
            os._exit(128 + signal.SIGTERM)
        self._time_was_up = True
        self._ring_after(FAREWELL)
        raise Interrupted(self.reason)
