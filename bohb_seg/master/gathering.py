"""``--min-workers``: nothing begins before enough workers are there."""

import logging
from collections.abc import Sequence
from typing import final

from bohb_seg.search.events import News, WorkersChanged

_log = logging.getLogger(__name__)


@final
class Gathering:
    """Holds news back until enough workers have joined; from then on it lets all news through.

    Args:
        wanted: Number of workers that are enough.
        is_complete: Whether enough have been there already, as when a run is resumed.

    Attributes:
        met: Whether any worker has joined.
    """

    def __init__(self, wanted: int, is_complete: bool = False) -> None:
        self._wanted, self._is_complete = wanted, is_complete
        self._held: list[News] = []
        self._here, self.met = 0, False

    def admit(self, news: Sequence[News]) -> Sequence[News]:
        """Returns the news that may be handled now; those that were held back come first."""
        self._held += news
        self.met |= any(isinstance(each, WorkersChanged) and each.joined for each in news)
        present: set[str] = set()
        for change in (each for each in self._held if isinstance(each, WorkersChanged)):
            present = present - set(change.left) | set(change.joined)
        here = len(present)
        self._is_complete |= here >= self._wanted
        if self._is_complete:
            admitted, self._held = self._held, []
            return admitted
        if here != self._here:
            _log.info("%d of the --min-workers %d are here", here, self._wanted)
        self._here = here
        return ()
