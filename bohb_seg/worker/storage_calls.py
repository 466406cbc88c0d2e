"""Calls of the master's storage, made again while there is hope.

Nothing raises because a call fails: training is worth more than a copy of its files. While the
master is away nothing is lost by waiting, since the result could not be delivered either.
"""

import logging
import threading
from collections.abc import Callable
from typing import Any, final

import Pyro4

from bohb_seg.retry import Retry
from bohb_seg.rpc.tls import CertificateOverError

PATIENCE = 600.0
"""Seconds without progress for which a master that is away is waited for: somebody restarts it."""
REFUSED = 0.1
"""Share of the patience for a master that answers, but refuses: waiting rarely helps."""
LONGEST_PAUSE = 10.0
"""Seconds between two tries after many have failed."""

Work = Callable[[Any], None]
"""Some calls of the storage, by its proxy; harmless to do twice."""

_log = logging.getLogger(__name__)


@final
class StorageCalls:
    """Calls of the master's storage.

    Args:
        connect: Returns a proxy of the storage at its present address; it may raise.
        patience: Seconds without progress for which a master that is away is waited for.
    """

    def __init__(self, connect: Callable[[], Any], patience: float) -> None:
        self._connect, self._patience = connect, patience
        self._away = self._in_vain = False
        self._stopped = threading.Event()
        self._retry = self._new_retry()

    def insist(self, work: Work) -> str:
        """Does the work, again and again as long as there is hope.

        Returns:
            "" when it is done, else the reason for which the last try failed.
        """
        self._retry = self._new_retry()
        while reason := self.once(work):
            patience = self._patience * (1 if self._away else REFUSED)
            if self._in_vain or not self._retry.pause(reason, patience):
                break
        return reason

    def once(self, work: Work) -> str:
        """Does the work; returns "", or the reason for which it was not done."""
        self._away = True
        try:
            with self._connect() as storage:
                self._away = False
                work(storage)
        except Exception as error:
            self._away = self._away or isinstance(error, Pyro4.errors.CommunicationError)
            self._in_vain = isinstance(error, CertificateOverError)
            _log.debug("the master's storage: %s", error, exc_info=True)
            return (str(error) or type(error).__name__).splitlines()[0]
        return ""

    def progressed(self) -> None:
        """Begins to count the patience again: a piece of a file went over.

        Raises:
            InterruptedError: there is no time for more.
        """
        if self._stopped.is_set():
            raise InterruptedError("the worker had to go on")
        self._retry.progressed()

    def stop(self) -> None:
        """Gives up at the next piece or pause; for other threads to call."""
        self._stopped.set()

    def _new_retry(self) -> Retry:
        problem = "the master's storage cannot be used"
        return Retry(problem, longest=LONGEST_PAUSE, wait=self._stopped.wait)
