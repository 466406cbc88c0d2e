"""Trying again what failed: growing pauses, and a line of the log a minute that tells why."""

import logging
import math
import time
from collections.abc import Callable, Iterator
from typing import final

FIRST_PAUSE = 0.2
"""Seconds until the second try of what failed; the pauses double."""
LONGEST_PAUSE = 1.0
"""Seconds between two tries after many have failed: a master that is back is found soon."""
SAY_EVERY = 60.0
"""Seconds between two lines that tell what is being waited for."""

_log = logging.getLogger(__name__)


@final
class Waiting:
    """What is being waited for: pauses that grow, and a line of the log once a minute.

    Args:
        why: What is being waited for.
        longest: Seconds between two tries after many have failed.
    """

    def __init__(self, why: str, longest: float = LONGEST_PAUSE) -> None:
        self._why, self._longest, self._error = why, longest, ""
        self.over()

    def because(self, error: Exception | str) -> None:
        """What the last try failed with."""
        self._error = f" ({error})"

    def over(self) -> None:
        """What was waited for is there."""
        self._pause, self._said = FIRST_PAUSE, -math.inf

    def pause(self) -> float:
        """Seconds until the next try."""
        now = time.monotonic()
        if now - self._said > SAY_EVERY:
            self._said = now
            _log.info("%s%s; trying again", self._why, self._error)
        pause, self._pause = self._pause, min(2 * self._pause, self._longest)
        return pause


def tries(
    why: str, patience: float = math.inf, hurry: Callable[[], bool] = lambda: False
) -> Iterator[Waiting]:
    """Yields again and again with growing pauses, and says once a minute why.

    Args:
        why: What is being waited for.
        patience: Seconds after which no further try is made.
        hurry: Cuts a pause short as soon as it is true.
    """
    waiting, deadline = Waiting(why), time.monotonic() + patience
    while True:
        yield waiting
        resume = time.monotonic() + waiting.pause()
        if resume > deadline:
            return
        while not hurry() and (rest := resume - time.monotonic()) > 0:
            time.sleep(min(rest, FIRST_PAUSE))
