"""Ways to try again what failed: pauses that grow, a line of the log a minute, a limit.

The caller writes the loop, because callers differ in what they catch::

    retry = Retry("the master does not answer")
    while True:
        try:
            return call()
        except OSError as error:
            if not retry.pause(error):
                raise

Whoever can be told to stop hands in a way to wait that ends early: ``Event.wait`` of a thread, or
:func:`wait_until` in the main thread, whose signal handlers only take notes.
"""

import logging
import math
import time
from collections.abc import Callable
from typing import final

FIRST_PAUSE = 0.2
"""Seconds until the second try; the pauses double."""
LONGEST_PAUSE = 1.0
"""Seconds between two tries after many have failed: a master that is back is found soon."""
SAY_EVERY = 60.0
"""Seconds between two lines of the log about the same failure."""
LOOK_EVERY = 0.2
"""Seconds between two looks at the condition of :func:`wait_until`."""
SETTLED = 30.0
"""Seconds of life after which the start of a process was not in vain, however it ends."""
STARTS_IN_VAIN = 10
"""Starts in vain, one after the other, after which a process counts as one that cannot work."""
FIRST_RESTART = 1.0
"""Seconds before a process is started again; the pauses double."""
LONGEST_RESTART = 30.0
"""Seconds of the longest pause before a restart. A start costs some seconds of a processor."""

Wait = Callable[[float], object]
"""Waits for so many seconds; a true answer ends the tries."""

_log = logging.getLogger(__name__)


@final
class Retry:
    """Pauses between the tries of one thing, from its first failure until it succeeds.

    Args:
        problem: Beginning of a sentence for the log, which says what fails.
        remedy: End of the sentence, after the reason.
        patience: Seconds without progress after which it is not tried again.
        first: Seconds of the first pause.
        longest: Seconds of the longest pause.
        say_every: Seconds between two lines of the log.
        level: Level of these lines.
        wait: Waits for a pause.
    """

    def __init__(
        self,
        problem: str,
        remedy: str = "trying again",
        *,
        patience: float = math.inf,
        first: float = FIRST_PAUSE,
        longest: float = LONGEST_PAUSE,
        say_every: float = SAY_EVERY,
        level: int = logging.INFO,
        wait: Wait = time.sleep,
    ) -> None:
        self._problem, self._remedy, self._patience = problem, remedy, patience
        self._longest, self._say_every, self._level = longest, say_every, level
        self._wait = wait
        self._next_pause = first
        self._next_line = -math.inf
        self.progressed()

    def progressed(self) -> None:
        """Begins to count the patience again: a part of the work succeeded."""
        self._progress = time.monotonic()

    def pause(self, reason: object = "", patience: float | None = None) -> bool:
        """Waits until the next try.

        Args:
            reason: Why the last try failed; "" leaves it out of the log.
            patience: Seconds without progress for this kind of failure, if not the usual ones.

        Returns:
            Whether to try again. False after the patience, without a wait, or if the way to wait
            says so.
        """
        limit = self._patience if patience is None else patience
        self._say(reason)
        if time.monotonic() - self._progress + self._next_pause > limit:
            return False
        pause, self._next_pause = self._next_pause, min(2 * self._next_pause, self._longest)
        return not self._wait(pause)

    def _say(self, reason: object) -> None:
        now = time.monotonic()
        if now >= self._next_line:
            self._next_line = now + self._say_every
            because = f" ({reason})" if str(reason) else ""
            _log.log(self._level, "%s%s; %s", self._problem, because, self._remedy)


@final
class Restarts:
    """When to start a process again that ended badly or could not be started."""

    def __init__(self) -> None:
        self._in_vain, self._pause = 0, FIRST_RESTART

    @property
    def are_in_vain(self) -> bool:
        """Whether it was started in vain :data:`STARTS_IN_VAIN` times, one after the other."""
        return self._in_vain >= STARTS_IN_VAIN

    def after(self, life: float) -> float:
        """Seconds to wait after an end that followed ``life`` seconds of life."""
        if life > SETTLED:
            self.forget()
        self._in_vain += 1
        pause, self._pause = self._pause, min(2 * self._pause, LONGEST_RESTART)
        return pause

    def forget(self) -> None:
        """Forgets the ends so far: the last start was not in vain."""
        self._in_vain, self._pause = 0, FIRST_RESTART


def wait_until(condition: Callable[[], object]) -> Wait:
    """A way to wait that ends early as soon as ``condition()`` is true, and then tries again.

    Args:
        condition: Looked at every :data:`LOOK_EVERY` seconds. It may raise, which ends the wait.
    """

    def wait(seconds: float) -> None:
        resume = time.monotonic() + seconds
        while not condition() and (rest := resume - time.monotonic()) > 0:
            time.sleep(min(rest, LOOK_EVERY))

    return wait
