"""The thread that looks for workers in the nameserver."""

import logging
import threading
from typing import Final, final

from bohb_seg import machine
from bohb_seg.master.attendance import Attendance
from bohb_seg.master.registry import Registry
from bohb_seg.rpc import pyro
from bohb_seg.rpc.complaints import Complaints

REST: Final = 0.1
"""Seconds between two looks at least: workers that ask for one meanwhile share the next, however
often they ask. Nobody notices that a worker is met so much later."""

_log = logging.getLogger(__name__)


@final
class Discovery(threading.Thread):
    """Looks for workers in every heartbeat, and at once when it is told to, unless it just did.

    Args:
        registry: Holds the names of the workers.
        dispatcher: Address of the master's dispatcher, which is kept registered there.
        attendance: Is told which workers were found.
        heartbeat: Seconds between two looks.
    """

    def __init__(
        self, registry: Registry, dispatcher: str, attendance: Attendance, heartbeat: float
    ) -> None:
        super().__init__(name="discovery", daemon=True)
        self._registry, self.dispatcher, self._attendance = registry, dispatcher, attendance
        self._heartbeat = heartbeat
        self._complaints = Complaints(_log)
        self._look, self._stopping = threading.Event(), threading.Event()

    def look(self) -> None:
        """Looks at once, or a moment after the look that is just over."""
        self._look.set()

    def stop(self) -> None:
        """Ends the thread after the look that is in progress."""
        self._stopping.set()
        self._look.set()

    def run(self) -> None:
        """Looks until it is stopped; a look that fails is told, and the next one follows."""
        while not self._stopping.is_set():
            self._look.clear()
            try:
                self._find()
                self._attendance.report_missing()
            except Exception as error:
                sentence = f"looking for workers failed ({error!r}); trying again"
                self._complaints.complain(type(error).__name__, sentence)
            self._stopping.wait(REST)
            self._look.wait(self._heartbeat)

    def _find(self) -> None:
        try:
            workers = self._registry.workers(self.dispatcher)
        except pyro.TRANSIENT as error:
            address = machine.location(*self._registry.address)
            sentence = f"nameserver {address} does not answer: {error}"
            self._complaints.complain(address, sentence)
        else:
            self._attendance.find(workers)
