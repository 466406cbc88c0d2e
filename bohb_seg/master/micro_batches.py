"""What workers learnt about memory, for all others."""

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
        """What is known so far."""
        return dict(self._fit)

    def learn(self, news: Evaluated) -> None:
        """Keeps what the worker of an evaluation found out."""
        for key, fits in worker_messages.micro_batches(news.info).items():
            self._fit[key] = min(fits, self._fit.get(key, fits))
