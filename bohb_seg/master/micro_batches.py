"""Lessons about memory that one worker has learnt and all others are told."""

from typing import final

from bohb_seg.master import worker_messages
from bohb_seg.search.events import Evaluated


@final
class MicroBatches:
    """Patches that fit into memory at once, by device kind and shape; the smallest number counts.

    Only the master's loop learns; any thread may look.
    """

    def __init__(self) -> None:
        self._fit: dict[str, int] = {}

    @property
    def known(self) -> dict[str, int]:
        """All that workers have learnt so far."""
        return dict(self._fit)

    def learn(self, news: Evaluated) -> None:
        """Keeps the lessons of the worker that did this evaluation."""
        for key, fits in worker_messages.micro_batches(news.facts).items():
            if key in self._fit or len(self._fit) < worker_messages.MOST_LIMITS:
                self._fit[key] = min(fits, self._fit.get(key, fits))
