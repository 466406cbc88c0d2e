"""Serves jobs with any of HpBandSter's workers, through its own remote contract.

``compute`` runs in the main thread (Keras and signals like it there), the network life in others.
HpBandSter's own ``Worker.run`` is not used, because it leaves for good when nameserver or master
are not there yet, loses a result that cannot be delivered at once, and hangs the run when
``compute`` returns what serpent cannot carry; :class:`_Service` stands before the worker with the
same three remote methods instead.
"""

import logging
import math
import os
import queue
import socket
import threading
import time
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import Pyro4
from hpbandster.core.worker import Worker

from bohb_seg import security
from bohb_seg.errors import ServiceError
from bohb_seg.settings import WorkerSettings

LOOK_INTERVAL = 2.0
"""Seconds between two looks at whether nameserver and master still know us."""
LONGEST_WAIT = 10.0
"""Seconds between two tries after many have failed."""
SAY_EVERY = 60.0
"""Seconds between two lines that tell what is being waited for."""
DELIVERY_PATIENCE = 600.0
"""Seconds for which a result is offered again and again before it is given up."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Post:
    """The run to be served: its name and its master's dispatcher."""

    run_id: str
    dispatcher: str


@dataclass(frozen=True)
class _Job:
    callback: Any
    config_id: tuple[int, int, int]
    arguments: tuple[Any, ...]
    keywords: Mapping[str, Any]


class _Service:
    """HpBandSter's remote contract of a worker, answering at once whatever the worker does."""

    def __init__(self) -> None:
        self._jobs: queue.Queue[_Job | None] = queue.Queue()
        self._busy = threading.Event()

    @Pyro4.expose
    def start_computation(
        self,
        callback: Any,
        id: tuple[int, int, int],
        *arguments: Any,
        **keywords: Any,
    ) -> bool:
        """Takes a job; its result goes to ``callback.register_result``."""
        bracket, rung, number = map(int, id)
        self._busy.set()
        self._jobs.put(_Job(callback, (bracket, rung, number), arguments, keywords))
        return True

    @Pyro4.expose
    def is_busy(self) -> bool:
        """Whether a job is waiting or running."""
        return self._busy.is_set()

    @Pyro4.expose
    @Pyro4.oneway
    def shutdown(self) -> None:
        """Ends the worker after the job it is doing."""
        self._jobs.put(None)

    def jobs(self, idle_timeout: float | None) -> Iterator[_Job]:
        """Jobs as they come, until shutdown or ``idle_timeout`` idle seconds."""
        while True:
            try:
                job = self._jobs.get(timeout=idle_timeout)
            except queue.Empty:
                _log.info("left: idle for %g s", idle_timeout)
                return
            if job is None:
                _log.info("left: the master says that there is nothing more to do")
                return
            yield job
            if self._jobs.empty():
                self._busy.clear()


def serve(worker: Worker, settings: WorkerSettings, post: Post) -> None:
    """Serves jobs to ``worker`` until the master ends it, it is idle too long or told to leave."""
    service = _Service()
    daemon = Pyro4.Daemon(host=settings.bind or _address_towards(settings.host, settings.port))
    uri = str(daemon.register(service, worker.worker_id))
    threading.Thread(target=daemon.requestLoop, name="pyro", daemon=True).start()
    _say_hello(worker, post)
    registrar = threading.Thread(
        target=_stay_known, args=(worker.worker_id, uri, settings, post.run_id), daemon=True
    )
    registrar.start()
    try:
        for job in service.jobs(settings.idle_timeout):
            result = _answer(worker, job)
            _deliver(job, result)
    finally:
        _say_goodbye(worker.worker_id, settings, post)


def _answer(worker: Worker, job: _Job) -> dict[str, Any]:
    """Computes and always answers, in HpBandSter's form: ``{"result": ..., "exception": ...}``."""
    try:
        result = worker.compute(*job.arguments, config_id=job.config_id, **job.keywords)
        loss = float(result["loss"])
        info = security.plain(result.get("info", {}))
    except (Exception, SystemExit):
        _log.warning("evaluation %s raised", job.config_id, exc_info=True)
        return {"result": None, "exception": traceback.format_exc()}
    if not math.isfinite(loss):
        _log.info("evaluation %s diverged", job.config_id)
    return {"result": {"loss": loss, "info": info}, "exception": None}


def _deliver(job: _Job, result: dict[str, Any]) -> None:
    """Hands the result over, again and again while the master cannot be reached."""
    job.callback._pyroTimeout = security.CALL_TIMEOUT
    for _ in tries(f"the master does not take the result of {job.config_id}", DELIVERY_PATIENCE):
        try:
            job.callback.register_result(job.config_id, result)
            return
        except Pyro4.errors.DaemonError:
            _log.warning("the master no longer wants the result of %s", job.config_id)
            return
        except Pyro4.errors.CommunicationError:
            job.callback._pyroRelease()
    _log.error("gave up the result of %s: its master cannot be reached", job.config_id)


def _say_hello(worker: Worker, post: Post) -> None:
    facts = worker.facts() if hasattr(worker, "facts") else {}
    with security.proxy(post.dispatcher) as dispatcher:
        refusal = dispatcher.hello(worker.worker_id, facts) if hasattr(dispatcher, "hello") else ""
    if refusal:
        raise ServiceError(f"the master of run {post.run_id} refuses this worker: {refusal}")
    _log.info("serving run %s as %s", post.run_id, worker.worker_id)


def _stay_known(name: str, uri: str, settings: WorkerSettings, run_id: str) -> None:
    """Registers with the nameserver, and again whenever it or the master has forgotten us."""
    parent, known_to = os.getppid(), ""
    for _ in tries("", forever=True):
        if settings.leave_with_parent and os.getppid() != parent:
            _log.info("left: the master that started this worker is gone")
            os._exit(0)
        try:
            with security.nameserver(settings.host, settings.port) as names:
                entries = names.list(prefix=f"hpbandster.run_{run_id}.")
                dispatcher = entries.get(f"hpbandster.run_{run_id}.dispatcher", "")
                if entries.get(name) == uri and dispatcher == known_to:
                    continue
                names.register(name, uri)
            if dispatcher:
                with security.proxy(dispatcher) as master:
                    master.trigger_discover_worker()
            known_to = dispatcher
        except (Pyro4.errors.PyroError, OSError) as error:
            _log.debug("not registered yet: %s", error)


def _say_goodbye(name: str, settings: WorkerSettings, post: Post) -> None:
    try:
        with security.nameserver(settings.host, settings.port) as names:
            names.remove(name)
        with security.proxy(post.dispatcher) as dispatcher:
            dispatcher.trigger_discover_worker()
    except (Pyro4.errors.PyroError, OSError) as error:
        _log.debug("could not say goodbye: %s", error)


def tries(why: str, patience: float = math.inf, forever: bool = False) -> Iterator[None]:
    """Yields with growing pauses (constant ones if ``forever``); says once a minute why."""
    start = said = time.monotonic()
    pause = LOOK_INTERVAL if forever else 0.2
    while time.monotonic() - start < patience:
        yield
        time.sleep(pause)
        if not forever:
            pause = min(2 * pause, LONGEST_WAIT)
            if time.monotonic() - said > SAY_EVERY or said == start:
                _log.info("%s; trying again", why)
                said = time.monotonic()


def _address_towards(host: str, port: int) -> str:
    """The address of the interface that leads to ``host``; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((host, port))
        return str(probe.getsockname()[0])
