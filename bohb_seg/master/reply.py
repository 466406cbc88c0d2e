"""The remote object that takes the result of one attempt."""

import threading
from collections.abc import Callable

import Pyro4

from bohb_seg.master import worker_messages
from bohb_seg.rpc import pyro
from bohb_seg.search.events import Evaluate, Evaluated
from bohb_seg.trials import trial_key

RECORDED_WITHIN = 0.8 * pyro.CALL_TIMEOUT
"""Seconds for which a worker waits until its result is on disk, before it offers it again."""


class Reply:
    """Takes the result of one attempt; answers once it is on disk."""

    def __init__(self, order: Evaluate, put: Callable[[Evaluated], None]) -> None:
        self.order, self._put = order, put
        self.wanted = True
        self.posted = False
        self.recorded = threading.Event()
        self._once = threading.Lock()

    @Pyro4.expose
    @Pyro4.callback
    def register_result(
        self,
        id: object = None,
        result: object = None,
    ) -> None:
        """HpBandSter's contract: ``{"result": {"loss", "info"} or None, "exception": ...}``.

        Raises:
            TimeoutError: it is not on disk yet; offer it again.
        """
        with self._once:
            first, self.posted = not self.posted, True
        if first:
            self._put(worker_messages.as_news(self.order, result))
        if not self.recorded.wait(RECORDED_WITHIN):
            raise TimeoutError("the result is not on the master's disk yet; offer it again")


def reply_name(prefix: str, of: Evaluate | Evaluated) -> str:
    """Object id of the reply of an attempt; the same after a restart of the master."""
    trial, budget = of.evaluation
    return f"{prefix}reply.{trial_key(trial)}.{budget:g}.{of.attempt}"
