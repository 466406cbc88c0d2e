"""Warnings that may come in floods, of strangers' words.

The same one is a warning at most once a minute, and only so many different ones are. Each is one
line of characters that can be seen.
"""

import logging
import math
import threading
import time
from collections.abc import Hashable
from typing import Final, final

from bohb_seg.rpc import values

REPEAT_AFTER: Final = 60.0
"""Seconds until the same complaint is a warning again; in between it is a debug message."""
LONGEST: Final = 1000
"""Characters of a complaint."""
MOST_KINDS: Final = 200
"""Kinds of complaints in that time; more are debug messages. Hostile peers, which may have as many
addresses as they like, must fill neither the memory nor the log."""


@final
class Complaints:
    """Logs complaints of many kinds.

    Args:
        log: Where to.
    """

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._warned: dict[Hashable, float] = {}
        self._lock = threading.Lock()

    def complain(self, kind: Hashable, sentence: str) -> None:
        """Logs a sentence; those of one kind are taken to be the same."""
        is_due = self._is_due(kind, time.monotonic())
        self._log.log(
            logging.WARNING if is_due else logging.DEBUG, "%s", values.line(sentence, LONGEST)
        )

    def _is_due(self, kind: Hashable, now: float) -> bool:
        with self._lock:
            if now - self._warned.get(kind, -math.inf) <= REPEAT_AFTER:
                return False
            if len(self._warned) >= MOST_KINDS:
                recent = ((k, at) for k, at in self._warned.items() if now - at <= REPEAT_AFTER)
                self._warned = dict(recent)
            if len(self._warned) < MOST_KINDS:
                self._warned[kind] = now
                return True
            return False
