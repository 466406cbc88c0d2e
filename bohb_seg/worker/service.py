"""Serves jobs with any of HpBandSter's workers, through HpBandSter's own remote contract.

``compute`` runs in the main thread, where Keras and signals want to be, the network life in others.
HpBandSter's own ``Worker.run`` is not used: it leaves for good when nameserver or master are not
there yet, loses a result that cannot be delivered at once, and hangs the run when ``compute``
returns what serpent cannot carry. :class:`_JobQueue` offers the same remote methods instead.
"""

import inspect
import logging
import math
import queue
import socket
import threading
import time
from collections.abc import Iterator
from functools import partial
from importlib.metadata import version
from typing import Any, Final, final

import Pyro4
from hpbandster.core.worker import Worker
from Pyro4.socketutil import getIpVersion

from bohb_seg import machine
from bohb_seg.errors import ServiceError, SettingsError
from bohb_seg.retry import LOOK_EVERY
from bohb_seg.rpc import values
from bohb_seg.rpc.daemon import Daemon, serve_in_background
from bohb_seg.rpc.nameserver import NAME_LENGTH
from bohb_seg.settings import WorkerSettings
from bohb_seg.training.interruption import Interrupted
from bohb_seg.worker.delivery import bring, bring_aside
from bohb_seg.worker.job_runner import JobRunner, WireJob
from bohb_seg.worker.membership import Membership
from bohb_seg.worker.run_info import RunInfo, nameserver_address
from bohb_seg.worker.shutdown import Shutdown

MOST_JOBS: Final = 16
"""Jobs that wait; a master of ours has one at a time, one that was killed may have left another."""
_LARGEST_NUMBER: Final = 10**9

_log = logging.getLogger(__name__)


@final
class _JobQueue:
    """HpBandSter's remote contract of a worker, which answers at once whatever the worker does.

    Attributes:
        ended: Reason why the worker has to end; "" as long as it may go on.
        error: Error with which it ends, if there is one.
    """

    def __init__(self) -> None:
        self.ended = ""
        self.error: ServiceError | None = None
        self._queue: queue.SimpleQueue[WireJob | None] = queue.SimpleQueue()
        self._jobs: dict[tuple[object, ...], WireJob] = {}
        self._lock = threading.Lock()

    @Pyro4.expose
    def start_computation(
        self,
        callback: object,
        id: object,
        *arguments: Any,
        **keywords: Any,
    ) -> bool:
        """Takes a job, once; its result goes to ``callback.register_result``.

        Raises:
            ValueError: it is no job, or too many wait.
        """
        job = WireJob(callback, _reply(callback), _trial(id), arguments, keywords)
        with self._lock:
            if job.key not in self._jobs:
                if len(self._jobs) >= MOST_JOBS:
                    raise ValueError(f"{MOST_JOBS} jobs are waiting; try again later")
                self._jobs[job.key] = job
                self._queue.put(job)
        return True

    @Pyro4.expose
    def is_busy(self) -> bool:
        """Whether a job is waiting or running, or its result is not delivered yet."""
        return bool(self._jobs)

    @Pyro4.expose
    def doing(self) -> str:
        """Object id of the reply of the oldest job that is not delivered yet; "" when idle."""
        with self._lock:
            return next((job.reply for job in self._jobs.values()), "")

    @Pyro4.expose
    @Pyro4.oneway
    def shutdown(self) -> None:
        """Ends the worker: the run is over."""
        self.end("the master says that there is nothing more to do")

    def end(self, reason: str, error: ServiceError | None = None) -> None:
        """Ends the worker as soon as the evaluation that runs obeys."""
        self.ended, self.error = reason, error
        with self._lock:
            for job in self._jobs.values():
                job.interruption.request(reason)
        self._queue.put(None)

    def give_up(self, reply: str, reason: str) -> None:
        """Ends the job with this reply: nobody waits for its result any more."""
        with self._lock:
            for job in self._jobs.values():
                if job.reply == reply:
                    job.interruption.request(reason)

    def jobs(self, idle_timeout: float | None) -> Iterator[WireJob]:
        """Jobs as they come, until the worker is ended, or after ``idle_timeout`` idle seconds."""
        while (job := self._next(idle_timeout)) is not None:
            yield job
            with self._lock:
                del self._jobs[job.key]

    def _next(self, idle_timeout: float | None) -> WireJob | None:
        """Waits for a job; None if the worker is ended.

        It wakes now and then: a signal that comes just before a wait does not cut it short, and
        Python calls its handler only after the wait.
        """
        waited_until = time.monotonic() + (math.inf if idle_timeout is None else idle_timeout)
        while not self.ended:
            left = waited_until - time.monotonic()
            try:
                return self._queue.get(timeout=max(0.0, min(left, LOOK_EVERY)))
            except queue.Empty:
                if left <= LOOK_EVERY:
                    self.ended = f"idle for {idle_timeout:g} s"
        return None


def _reply(callback: object) -> str:
    """Object id of the object that takes a result."""
    if not isinstance(callback, Pyro4.Proxy):
        raise ValueError("a job must name the object that takes its result")
    reply = str(callback._pyroUri.object)
    if not reply.isprintable() or len(reply) > NAME_LENGTH:
        raise ValueError("a job must name it in characters that can be seen")
    return reply


def _trial(told: object) -> tuple[int, int, int]:
    match told:
        case [int(bracket), int(rung), int(number)]:
            if max(map(abs, (bracket, rung, number))) <= _LARGEST_NUMBER:
                return bracket, rung, number
    raise ValueError(f"{values.line(told, 100)} is no trial; three numbers name one")


def serve(worker: Worker, settings: WorkerSettings, run: RunInfo, shutdown: Shutdown) -> None:
    """Serves jobs to ``worker`` until the master ends it, it is idle too long or told to leave.

    Args:
        worker: Program that computes.
        settings: The worker's settings.
        run: The run to serve.
        shutdown: Signals to this process.

    Raises:
        ServiceError: the master refuses this worker.
        SettingsError: ``--bind`` is no address of this machine.
    """
    jobs = _JobQueue()
    daemon = _daemon(settings.bind or address_towards(*nameserver_address(settings)))
    uri = str(daemon.register(jobs, worker.worker_id))
    serve_in_background(daemon, "pyro")
    joined = partial(bring_aside, settings)
    membership = Membership(worker.worker_id, uri, settings, run, facts(worker), jobs, joined)
    runner = JobRunner(worker, settings, membership, lambda: shutdown.reason or jobs.ended)
    try:
        bring(settings, run)  # first, for else the master might order the same again
        membership.begin()
        for job in jobs.jobs(settings.idle_timeout):
            shutdown.evaluation = worker.interruption = job.interruption
            in_vain = runner.do(job)
            shutdown.evaluation = None
            if in_vain and not jobs.ended:
                jobs.end(in_vain)
            if shutdown.reason:
                break
        shutdown.leave()
    except Interrupted:  # it was idle, or its notice is over
        pass
    finally:
        shutdown.leave()
        membership.leave()
    if jobs.error:
        raise jobs.error
    _log.info("left: %s", shutdown.reason or jobs.ended)


def takes_settings(worker_class: type[Worker]) -> bool:
    """Whether a program trains with the run's settings, and so with Keras."""
    return "settings" in inspect.signature(worker_class.__init__).parameters


def facts(worker: Worker) -> dict[str, str]:
    """Facts that the master compares: all its workers must train the same in the same way."""
    own = worker.facts() if hasattr(worker, "facts") else {}
    return {"version": version("bohb-seg"), **own}


def cannot_bind(host: str, reason: str) -> SettingsError:
    """Error where this machine cannot serve at the address of ``--bind``."""
    return SettingsError(
        f"--bind {host} is no address of this machine ({reason}); choose the one by which the"
        " master's machine reaches it"
    )


def address_towards(host: str, port: int) -> str:
    """Address of the interface that leads to ``host``; nothing is sent.

    Raises:
        OSError: there is no such host, or no way to it.
    """
    # Pyro4 prefers IPv4, too, where a name has both.
    family = socket.AF_INET if getIpVersion(host) == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect((host, port))
        return str(probe.getsockname()[0])


def refuse_everywhere(host: str) -> None:
    """Makes sure that the address to serve at is a single one, which the master can call.

    Raises:
        SettingsError: it is not.
    """
    if machine.is_everywhere(host):
        raise cannot_bind(host, "it means all of them")


def _daemon(host: str) -> Daemon:
    refuse_everywhere(host)
    try:
        return Daemon(host=host, port=0, admits={"master"})
    except OSError as error:
        raise cannot_bind(host, str(error.strerror)) from None
