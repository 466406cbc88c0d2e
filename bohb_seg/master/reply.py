"""The remote object that takes the result of one attempt, from nobody but its worker."""

import threading
from collections.abc import Callable
from typing import Final, final

import Pyro4

from bohb_seg.master import worker_messages
from bohb_seg.master.worker_messages import InfoRoom
from bohb_seg.rpc import pyro, speakers
from bohb_seg.search.events import Evaluate, Evaluated
from bohb_seg.trials import Attempt

RECORDED_WITHIN: Final = 0.8 * pyro.CALL_TIMEOUT
"""Seconds for which a worker waits until its result is on disk, before it offers it again."""


@final
class Reply:
    """Takes the result of one attempt; answers once it is on disk.

    Args:
        order: What was ordered.
        post: Takes the news.
        room: Room for the result's info.
    """

    def __init__(self, order: Evaluate, post: Callable[[Evaluated], None], room: InfoRoom) -> None:
        self.order, self._post, self._room = order, post, room
        self.wanted = True
        """Whether anybody still waits for this attempt."""
        self.posted = False
        """Whether its result has come."""
        self.recorded = threading.Event()
        """Set when its result is on disk."""
        self._once = threading.Lock()

    @property
    def attempt(self) -> Attempt:
        """The attempt whose result it takes."""
        return Attempt(self.order.evaluation, self.order.attempt)

    @Pyro4.expose
    @Pyro4.callback
    def register_result(
        self,
        id: object = None,
        result: object = None,
    ) -> None:
        """HpBandSter's contract: ``{"result": {"loss", "info"} or None, "exception": ...}``.

        Raises:
            Pyro4.errors.SecurityError: another worker calls than the one that has the order.
            TimeoutError: it is not on disk yet; offer it again.
        """
        speakers.demand(self.order.worker)
        with self._once:
            first, self.posted = not self.posted, True
        if first:
            self._post(worker_messages.as_news(self.order, result, self._room))
        if not self.recorded.wait(RECORDED_WITHIN):
            raise TimeoutError("the result is not on the master's disk yet; offer it again")
