"""Which workers are there, each with a link of its own, and which are expected back."""

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from bohb_seg.master.worker_events import MasterCloses, OrderGiven, Parted, ResultCame
from bohb_seg.master.worker_life import LEASE, WorkerLife
from bohb_seg.master.worker_link import Surroundings, WorkerLink
from bohb_seg.search.events import Evaluate, Evaluated, WorkersChanged
from bohb_seg.trials import Attempt

_log = logging.getLogger(__name__)


@dataclass
class _Expected:
    """A worker of the previous master.

    Args:
        order: What it was doing; None if it was idle, or if the result has come since.
        until: Monotonic seconds; it is taken to have left if it is not found by then.
    """

    order: Evaluate | None
    until: float


@final
class Attendance:
    """The workers of a run by name.

    Args:
        surroundings: What their links have in common.
    """

    def __init__(self, surroundings: Surroundings) -> None:
        self._surroundings = surroundings
        self._links: dict[str, WorkerLink] = {}
        self._expected: dict[str, _Expected] = {}
        self._lock = threading.Lock()  # for moving from the expected ones to those with a link

    def expect(self, past: Mapping[str, Evaluate | None]) -> None:
        """Workers of the previous master have a lease to make themselves known."""
        until = time.monotonic() + LEASE * self._surroundings.heartbeat
        self._expected = {name: _Expected(order, until) for name, order in past.items()}

    def find(self, workers: Mapping[str, str]) -> None:
        """Starts a link to each worker that has none; by name, with addresses."""
        for name, uri in workers.items():
            link = self._links.get(name)
            if link is not None and link.is_alive():
                link.mind_namesake(uri)
            else:
                self._start_link(name, uri)

    def report_missing(self) -> None:
        """Reports the expected workers whose lease is over without their being found."""
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

        If the worker is gone, the news that say so are under way already: its link posted them.
        """
        with self._lock:
            if expected := self._expected.get(order.worker):
                expected.order = order
            elif link := self._links.get(order.worker):
                link.tell(OrderGiven(order))

    def take_result(self, news: Evaluated) -> None:
        """The result of a worker has come."""
        with self._lock:
            if expected := self._expected.get(news.worker):
                expected.order = None
            elif link := self._links.get(news.worker):
                link.tell(ResultCame(Attempt(news.evaluation, news.attempt)))

    def renew(self, name: str, busy: bool, connection: object) -> bool:
        """A worker renewed its lease over this connection; whether it is known."""
        link = self._links.get(name)
        if link is None or not link.is_alive():
            return False
        link.renew(busy, connection)
        return True

    def part(self, name: str) -> None:
        """A worker said goodbye."""
        if link := self._links.get(name):
            link.tell(Parted())

    def lose(self, connection: object) -> None:
        """A connection has ended, whoever's it was."""
        for link in list(self._links.values()):
            link.lose(connection)

    def is_looked_after(self, name: str) -> bool:
        """Whether a worker has a link."""
        link = self._links.get(name)
        return link is not None and link.is_alive()

    def close(self, dismiss: bool, seconds: float) -> None:
        """Ends all links; not waiting longer than so many seconds for their calls."""
        links = list(self._links.values())
        for link in links:
            link.tell(MasterCloses(dismiss))
        deadline = time.monotonic() + seconds
        for link in links:
            link.join(max(0.0, deadline - time.monotonic()))

    def _start_link(self, name: str, uri: str) -> None:
        heartbeat = self._surroundings.heartbeat
        with self._lock:
            expected = self._expected.pop(name, None)
            order = expected.order if expected else None
            life = WorkerLife(time.monotonic(), heartbeat, expected is not None, order)
            link = self._links[name] = WorkerLink(name, uri, life, self._surroundings)
        link.start()
