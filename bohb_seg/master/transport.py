"""HpBandSter's nameserver and dispatcher contracts as a mailbox: news in, orders out.

Rules of the modules that this one puts together:

* Callbacks do nothing but put news into one queue; nothing is decided here.
* Every remote call has a timeout and none is made under a lock. Each worker has a thread of its own
  (:mod:`bohb_seg.master.worker_link`), so that a frozen worker delays nobody else.
* A worker is there as long as its lease (:mod:`bohb_seg.master.worker_life`).
* Each attempt has a remote object of its own that the worker calls back
  (:mod:`bohb_seg.master.reply_book`). It answers once the result is on disk; until then the worker
  keeps the result and offers it again, also to the next master.
* Nameserver, dispatcher, replies and storage are objects of one daemon: one port to open, and
  addresses that are the same after a restart.
"""

import contextlib
import logging
import queue
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Final, final

from bohb_seg import machine
from bohb_seg.errors import ServiceError
from bohb_seg.master.attendance import Attendance
from bohb_seg.master.discovery import Discovery
from bohb_seg.master.dispatcher import Dispatcher, Terms
from bohb_seg.master.micro_batches import MicroBatches
from bohb_seg.master.registry import Registry
from bohb_seg.master.reply_book import ReplyBook
from bohb_seg.master.worker_link import Surroundings
from bohb_seg.rpc import names, pyro
from bohb_seg.rpc.complaints import Complaints
from bohb_seg.rpc.daemon import Daemon, serve_in_background
from bohb_seg.rpc.nameserver import NameServer
from bohb_seg.search.events import Evaluate, Evaluated, News
from bohb_seg.trials import EvaluationId

SIGN_OFF: Final = 3.0
"""Seconds that dismissed workers get to take their names out of the nameserver; HpBandSter's own
fail if it is gone before."""

_log = logging.getLogger(__name__)


@final
class Transport:
    """The master's side of the wire; :meth:`bind`, then :meth:`serve`, at the end :meth:`close`.

    Args:
        run_id: Names the dispatcher and its workers in the nameserver.
        host: Address to serve on.
        port: Port to serve on; 0 takes any free one.
        external: ``(host, port)`` of a nameserver that already runs, instead of an own one.
        working_directory: ``working_directory`` of every evaluation.
        heartbeat: Seconds between two signs of life of a worker.
        minutes: Minutes that an attempt may take; None: as many as it likes.
    """

    def __init__(
        self,
        *,
        run_id: str,
        host: str,
        port: int,
        external: tuple[str, int] | None,
        working_directory: str,
        heartbeat: float,
        minutes: float | None = None,
    ) -> None:
        self._run_id, self._external = run_id, external
        self._host, self._port = host, port
        self._working_directory, self._heartbeat = working_directory, heartbeat
        self._minutes = minutes
        self._news: queue.SimpleQueue[News] = queue.SimpleQueue()
        self._micro_batches = MicroBatches()
        self._discovery: Discovery | None = None
        self._threads: tuple[threading.Thread, ...] = ()
        self.chosen_later: Mapping[str, Any] = {}
        """Settings that orders bring, because they may be chosen after workers have joined."""
        self.nameserver = external or (host, port)

    def bind(self, resuming: bool = False) -> None:
        """Takes the port; nobody is served yet.

        Args:
            resuming: Whether a nameserver that does not answer is borne: it was right before, and
                will be back.

        Raises:
            ServiceError: the port is in use, the nameserver does not answer, or another master
                serves this run.
        """
        self._daemon = self._take_port()
        if self._external is None:
            self._daemon.register(NameServer(), names.NAMESERVER)
            self.nameserver = (self._host, machine.split_location(self._daemon.locationStr)[1])
        self._registry = Registry(self._run_id, self.nameserver)
        if self._external is not None:
            try:
                self._registry.refuse_second_master(resuming)
            except ServiceError:
                self._daemon.shutdown()
                raise
        self._replies = ReplyBook(self._run_id, self._daemon, self._take_result)
        self._attendance = Attendance(self._surroundings())

    def serve(
        self,
        terms: Terms,
        storage: object,
        past: Mapping[str, Evaluate | None] | None = None,
        late: Sequence[Evaluate] = (),
    ) -> None:
        """Begins to serve.

        Args:
            terms: Terms on which workers take part.
            storage: The remote object for workers that do not share our storage.
            past: On resuming, the workers that the run had, with the order of each. A worker that
                does not make itself known within a lease is reported as having left.
            late: Orders of workers that are gone; their results may still be brought by others.

        Raises:
            ServiceError: this machine has no threads left.
        """
        past = past or {}
        self._attendance.expect(past)
        for order in filter(None, (*past.values(), *late)):
            self._replies.open(order)
        dispatcher = Dispatcher(terms, self._attendance, self._replies, self._look)
        uri = str(self._daemon.register(dispatcher, names.dispatcher_name(self._run_id)))
        self._daemon.register(storage, names.storage_name(self._run_id))
        self._discovery = Discovery(self._registry, uri, self._attendance, self._heartbeat)
        self._threads = _started(self._daemon, self._discovery)

    def fault(self) -> str:
        """Reason why workers cannot be served or found any more; "" as long as all is well."""
        dead = [thread.name for thread in self._threads if not thread.is_alive()]
        return f"its thread '{dead[0]}' has ended" if dead else ""

    def receive(self, timeout: float) -> list[News]:
        """Returns all news there are; waits up to ``timeout`` seconds for the first."""
        news: list[News] = []
        with contextlib.suppress(queue.Empty):
            news.append(self._news.get(timeout=timeout))
            while True:
                news.append(self._news.get_nowait())
        return news

    def post(self, news: News) -> None:
        """Adds news; for any thread."""
        self._news.put(news)

    def send(self, order: Evaluate) -> None:
        """Hands an evaluation to its worker."""
        self._replies.open(order)
        self._attendance.give(order)

    def learn(self, news: Evaluated) -> None:
        """Keeps what a worker learnt about memory, for all others."""
        self._micro_batches.learn(news)

    def recorded(self, news: Evaluated) -> None:
        """Tells the worker that its result is on disk, so that it may forget the result.

        If it was taken to be dead and is not, it may still bring its result.
        """
        if news.final or not news.lost_on:
            self._replies.recorded(news)

    def settled(self, evaluation: EvaluationId) -> None:
        """Lets workers that still try this evaluation hear that nobody waits for them."""
        self._replies.settled(evaluation, self._attendance.is_looked_after)

    def demand_writer(self, folder: str) -> None:
        """Raises unless the present remote call comes from a worker at a trial of this folder."""
        self._replies.demand_writer(folder)

    def close(self, dismiss: bool) -> None:
        """Closes everything; with ``dismiss`` workers are told that nothing is left to do."""
        self._threads = ()
        if self._discovery is not None:
            self._discovery.stop()
            self._attendance.close(dismiss, pyro.CALL_TIMEOUT)
            if dismiss:
                self._registry.wait_for_sign_off(SIGN_OFF)
            self._registry.forget(names.dispatcher_name(self._run_id), self._discovery.dispatcher)
        self._daemon.shutdown()

    def _take_port(self) -> Daemon:
        port = 0 if self._external else self._port
        try:
            return Daemon(self._host, port, admits=("master", "worker"), lost=self._lose)
        except OSError as error:
            raise ServiceError(
                f"cannot serve on {machine.location(self._host, port)} ({error.strerror or error});"
                " choose another --port or --host, or end what uses it"
            ) from None

    def _surroundings(self) -> Surroundings:
        return Surroundings(
            heartbeat=self._heartbeat,
            working_directory=self._working_directory,
            post=self.post,
            replies=self._replies,
            registry=self._registry,
            micro_batches=self._micro_batches,
            complaints=Complaints(_log),
            minutes=self._minutes,
            chosen_later=lambda: self.chosen_later,
        )

    def _look(self) -> None:
        if self._discovery is not None:
            self._discovery.look()

    def _lose(self, connection: object) -> None:
        self._attendance.lose(connection)

    def _take_result(self, news: Evaluated) -> None:
        self._attendance.take_result(news)
        self.post(news)


def _started(daemon: Daemon, discovery: Discovery) -> tuple[threading.Thread, ...]:
    try:
        serving = serve_in_background(daemon, "dispatcher")
        discovery.start()
    except RuntimeError as error:
        raise ServiceError(
            f"this machine refuses the master a thread ({error}); end other programs, or raise the"
            " limits of its user or container"
        ) from None
    return serving, discovery
