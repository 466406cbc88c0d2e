"""Warnings that may come in floods: the same one is a warning at most once a minute."""

import logging
import math
import time
from collections.abc import Hashable
from typing import Final, final

REPEAT_AFTER: Final = 60.0
"""Seconds until the same complaint is a warning again; in between it is a debug message."""
MOST_KINDS: Final = 1000
"""Kinds of complaints that are remembered: hostile peers must not fill the memory."""


@final
class Complaints:
    """Logs complaints of many kinds.

    Args:
        log: Where to.
    """

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._warned: dict[Hashable, float] = {}

    def complain(self, kind: Hashable, sentence: str) -> None:
        """Logs a sentence; those of one kind are taken to be the same."""
        now = time.monotonic()
        is_due = now - self._warned.get(kind, -math.inf) > REPEAT_AFTER
        if is_due:
            if len(self._warned) >= MOST_KINDS:
                self._warned.clear()
            self._warned[kind] = now
        self._log.log(logging.WARNING if is_due else logging.DEBUG, "%s", sentence)
