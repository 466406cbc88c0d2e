"""The longest time that one evaluation may take, as its worker keeps it.

When the time is over the evaluation is asked to end, as for any other reason
(:mod:`bohb_seg.training.interruption`). A program that does not ask is interrupted a moment later
wherever its main thread is, and one that does not even hear that ends with its process. The master
counts, too, and waits for none of this: a worker that hangs gives no signs of life that count.
"""

import faulthandler
import logging
import signal
import threading
from types import FrameType, TracebackType
from typing import Final, final

from bohb_seg.training.interruption import Interrupted, Interruption

SIGNAL: Final = signal.SIGUSR2
"""Signal that wakes the main thread out of whatever it waits for."""
TO_ASK: Final = 10.0
"""Seconds in which a program should notice that it is asked to end: some short epochs."""
TO_HEAR: Final = 30.0
"""Seconds in which the main thread should be interrupted; a step of Keras takes less."""

_log = logging.getLogger(__name__)


@final
class TimeLimit:
    """Lets an evaluation take only so long; a context manager around it.

    Args:
        minutes: Minutes that it may take; None: as many as it likes.
        interruption: Asks it to end.
        to_ask: Seconds from being asked to being interrupted.
        to_hear: Seconds from being interrupted to the end of the process, with status 1 and a
            traceback of what it did.

    Attributes:
        is_over: Whether it took longer.
    """

    def __init__(
        self,
        minutes: float | None,
        interruption: Interruption,
        to_ask: float = TO_ASK,
        to_hear: float = TO_HEAR,
    ) -> None:
        self._minutes, self._interruption = minutes, interruption
        self._to_ask, self._to_hear = to_ask, to_hear
        self._ended = threading.Event()
        self.is_over = False

    def __enter__(self) -> "TimeLimit":
        if self._minutes is None:
            return self
        signal.signal(SIGNAL, self._interrupt)
        # The watch of last resort needs no lock of Python's, which a hanging step may hold.
        seconds = 60 * self._minutes + self._to_ask + self._to_hear
        faulthandler.dump_traceback_later(seconds, exit=True)
        watch = threading.Thread(target=self._watch, name="time limit", daemon=True)
        try:
            watch.start()
        except RuntimeError as error:
            _log.warning("no thread to watch the time limit (%s); the master watches it", error)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        if self._minutes is not None:
            faulthandler.cancel_dump_traceback_later()
            signal.signal(SIGNAL, signal.SIG_IGN)  # it may be on its way, and would end the process

    def _watch(self) -> None:
        assert self._minutes is not None
        if self._ended.wait(60 * self._minutes):
            return
        self.is_over = True
        self._interruption.request(self._reason)
        if self._ended.wait(self._to_ask):
            return
        signal.pthread_kill(threading.main_thread().ident or 0, SIGNAL)

    @property
    def _reason(self) -> str:
        return f"it took longer than --max-minutes-per-evaluation {self._minutes:g}"

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        if self.is_over and not self._ended.is_set():
            raise Interrupted(self._reason)
