"""The workers of a run: those that are there, each with a link, and those expected back."""

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from bohb_seg.master.lease import LEASE
from bohb_seg.master.worker_events import MasterCloses, OrderGiven, Parted, ResultCame
from bohb_seg.master.worker_life import Past, WorkerLife
from bohb_seg.master.worker_link import Surroundings, WorkerLink
from bohb_seg.search.events import Evaluate, Evaluated, WorkersChanged
from bohb_seg.trials import Attempt

_log = logging.getLogger(__name__)


@dataclass
class _Expected:
    """A worker of the previous master.

    Args:
        order: Its order; None if it was idle, or if the result has come since.
        until: Monotonic seconds; a worker that is not found by then is taken to have left.
    """

    order: Evaluate | None
    until: float


@final
class Attendance:
    """Starts, finds and ends the links of a run's workers.

    Args:
        surroundings: Shared by all links.
    """

    def __init__(self, surroundings: Surroundings) -> None:
        self._surroundings = surroundings
        self._links: dict[str, WorkerLink] = {}
        self._expected: dict[str, _Expected] = {}
        self._closed = False
        self._lock = threading.Lock()  # for moving from the expected ones to those with a link,
        # and so that a link is seen only once it runs, and none begins after closing

    def expect(self, past: Mapping[str, Evaluate | None]) -> None:
        """Gives the workers of the previous master a lease to make themselves known.

        Args:
            past: Their names, and the order that each had.
        """
        until = time.monotonic() + LEASE * self._surroundings.heartbeat
        self._expected = {name: _Expected(order, until) for name, order in past.items()}

    def find(self, workers: Mapping[str, str]) -> None:
        """Starts a link to each worker that has none.

        Args:
            workers: The names in the nameserver, with addresses.
        """
        for name, uri in workers.items():
            link = self._links.get(name)
            if link is not None and link.is_alive():
                link.mind_namesake(uri)
            elif not self._start_link(name, uri):
                break

    def report_missing(self) -> None:
        """Reports expected workers that have not been found within their lease."""
        now = time.monotonic()
        with self._lock:
            missing = [name for name, past in self._expected.items() if past.until < now]
            for name in missing:
                del self._expected[name]
        for name in missing:
            _log.warning("worker %s has not come back", name)
            self._surroundings.post(WorkersChanged(left=(name,)))

    def give(self, order: Evaluate) -> None:
        """Hands an order to its worker.

        If the worker is gone, nothing is done: its link has posted the news already.
        """
        with self._lock:
            if expected := self._expected.get(order.worker):
                expected.order = order
            elif link := self._links.get(order.worker):
                link.tell(OrderGiven(order))

    def take_result(self, news: Evaluated) -> None:
        """Tells the link of a worker that its result has come."""
        with self._lock:
            if expected := self._expected.get(news.worker):
                expected.order = None
            elif link := self._links.get(news.worker):
                link.tell(ResultCame(Attempt(news.evaluation, news.attempt)))

    def renew(self, name: str, busy: bool, connection: object) -> bool:
        """Takes a renewal that came over this connection; returns whether the worker is known."""
        link = self._links.get(name)
        if link is None or not link.is_alive():
            return False
        link.renew(busy, connection)
        return True

    def part(self, name: str) -> None:
        """Takes the goodbye of a worker."""
        if link := self._links.get(name):
            link.tell(Parted())

    def lose(self, connection: object) -> None:
        """Tells all links that a connection has ended; one of them may have used it."""
        for link in list(self._links.values()):
            link.lose(connection)

    def is_looked_after(self, name: str) -> bool:
        """Whether a worker has a link that is alive."""
        link = self._links.get(name)
        return link is not None and link.is_alive()

    def close(self, dismiss: bool, seconds: float) -> None:
        """Ends all links; none is started any more.

        Args:
            dismiss: Whether the workers are told to end.
            seconds: Longest time to wait for calls in progress.
        """
        with self._lock:
            self._closed = True
            links = list(self._links.values())
        for link in links:
            link.tell(MasterCloses(dismiss))
        deadline = time.monotonic() + seconds
        for link in links:
            link.join(max(0.0, deadline - time.monotonic()))

    def _start_link(self, name: str, uri: str) -> bool:
        """Starts a link; returns whether this machine had a thread for it."""
        around = self._surroundings
        with self._lock:
            if self._closed:
                return False
            expected = self._expected.get(name)
            past = Past(expected.order) if expected else None
            life = WorkerLife(time.monotonic(), around.heartbeat, past, around.limit)
            link = WorkerLink(name, uri, life, around)
            try:
                link.start()
            except RuntimeError as error:
                sentence = f"cannot look after {name} ({error}); trying again in a moment"
                around.complaints.complain("no thread", sentence)
                return False
            self._links[name] = link
            self._expected.pop(name, None)
        return True
