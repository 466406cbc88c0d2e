"""Ctrl-C, SIGTERM and a terminal that is closed while a run lasts."""

import os
import signal
from types import FrameType, TracebackType
from typing import Final, final

from bohb_seg.errors import EXIT_STOPPED_EARLY

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@final
class StopSignals:
    """A first signal ends the run in good order; a second one ends the process at once.

    While a run that has ended writes its results and its report, a first one changes nothing.

    A closed terminal may say so twice, so SIGHUP is never the second one; under ``nohup`` it stays
    without effect. A context manager; signals mean what they meant before when it is left.
    """

    def __init__(self) -> None:
        self.received = False

    def __enter__(self) -> "StopSignals":
        self._previous = {
            number: signal.signal(number, self._receive)
            for number in SIGNALS
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN
        }
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self.received and number != signal.SIGHUP:
            os._exit(EXIT_STOPPED_EARLY)
        self.received = True
