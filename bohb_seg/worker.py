"""``bohb-worker``: finds a run, serves it with a program of ``workers/``, survives the wait.

Any subclass of ``hpbandster.core.worker.Worker`` can be served. Its ``compute`` runs in the main
thread (Keras and signals like it there), its network life in others. HpBandSter's own ``run`` is
not used, because it leaves for good when nameserver or master are not there yet, loses a result
that cannot be delivered at once, and hangs the run when ``compute`` returns what serpent cannot
carry; :class:`_Service` stands before the worker with the same three remote methods instead.
"""

import importlib.util
import inspect
import logging
import math
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import click
import Pyro4
from hpbandster.core.worker import Worker

from bohb_seg import command_line, devices, machine, plugins, security
from bohb_seg.errors import ServiceError, SettingsError
from bohb_seg.settings import TrainingSettings, WorkerSettings, merge

LOOK_INTERVAL = 2.0
"""Seconds between two looks at whether nameserver and master still know us."""
LONGEST_WAIT = 10.0
"""Seconds between two tries after many have failed."""
SAY_EVERY = 60.0
"""Seconds between two lines that tell what is being waited for."""
DELIVERY_PATIENCE = 600.0
"""Seconds for which a result is offered again and again before it is given up."""

_log = logging.getLogger(__name__)


class _LeaveError(BaseException):
    """Raised in the main thread by SIGTERM or SIGINT; not an Exception, so no worker catches it."""


@dataclass(frozen=True)
class _Post:
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


@click.command("bohb-worker")
@command_line.settings_flags(WorkerSettings)
def command(config: Path | None, **flags: object) -> None:
    """Serve a run: wait for its master, train what it sends, until it says that all is done.

    Example: bohb-worker --host 10.0.0.1 --data /data/aerial
    """
    settings = merge(WorkerSettings, flags, config)
    command_line.start_logging(settings.log_level)
    worker_class = load_worker_class(settings.worker)
    if settings.device == "all-gpus":
        _one_process_per_gpu()
        return
    security.set_up_pyro()
    post = _find_post(settings)
    training = _training_settings(settings, post, chosen=flags)
    devices.prepare(settings.device, settings.threads)
    worker = _build(worker_class, settings, training, post)
    try:
        serve(worker, settings, post)
    except _LeaveError:
        _log.info("left: told to by a signal")


def main() -> NoReturn:
    """Entry point of ``bohb-worker``."""
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGINT, _leave)
    try:
        command_line.run(command)
    except _LeaveError:
        sys.exit(0)


def load_worker_class(spec: str) -> type[Worker]:
    """Finds the worker class of ``workers/NAME.py`` or ``FILE.py[:Class]``.

    Raises:
        UnknownPluginError: no such name; lists those that exist.
        SettingsError: the file is missing, or does not hold one such class.
    """
    file, class_name = plugins.worker_file(spec), spec.partition(":")[2]
    module_spec = importlib.util.spec_from_file_location(f"bohb_seg_worker_{file.stem}", file)
    assert module_spec is not None
    assert module_spec.loader is not None
    module = importlib.util.module_from_spec(module_spec)
    module_spec.loader.exec_module(module)
    classes = {
        name: value
        for name, value in vars(module).items()
        if inspect.isclass(value) and issubclass(value, Worker) and value is not Worker
    }
    if class_name:
        classes = {name: value for name, value in classes.items() if name == class_name}
    if len(classes) != 1:
        raise SettingsError(
            f"--worker {spec}: {file} holds {len(classes)} fitting subclasses of HpBandSter's"
            " Worker; name one as FILE.py:Class"
        )
    return next(iter(classes.values()))


def serve(worker: Worker, settings: WorkerSettings, post: _Post) -> None:
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
    for _ in _tries(f"the master takes the result of {job.config_id}", DELIVERY_PATIENCE):
        try:
            job.callback.register_result(job.config_id, result)
            return
        except Pyro4.errors.DaemonError:
            _log.warning("the master no longer wants the result of %s", job.config_id)
            return
        except Pyro4.errors.CommunicationError:
            job.callback._pyroRelease()
    _log.error("gave up the result of %s: its master cannot be reached", job.config_id)


def _find_post(settings: WorkerSettings) -> _Post:
    """Waits until the nameserver knows the run's dispatcher."""
    where = f"a run at nameserver {settings.host}:{settings.port}"
    for _ in _tries(where):
        try:
            posts = _posts(settings)
        except (Pyro4.errors.PyroError, OSError):
            continue
        if len(posts) > 1:
            raise SettingsError(
                f"{where} is not unique: choose --run-id {' or '.join(p.run_id for p in posts)}"
            )
        if posts:
            return posts[0]
    raise AssertionError("waiting for a run ended without one")


def _posts(settings: WorkerSettings) -> list[_Post]:
    with security.nameserver(settings.host, settings.port) as names:
        found = names.list(prefix=f"hpbandster.run_{settings.run_id}")
    posts = [
        _Post(name.removeprefix("hpbandster.run_").removesuffix(".dispatcher"), uri)
        for name, uri in sorted(found.items())
        if name.endswith(".dispatcher")
    ]
    return [post for post in posts if settings.run_id in ("", post.run_id)]


def _training_settings(
    settings: WorkerSettings, post: _Post, chosen: Mapping[str, object]
) -> TrainingSettings:
    """The run's own settings if its master tells them (a stock HpBandSter master does not)."""
    own = {name: getattr(settings, name) for name in TrainingSettings.model_fields}
    with security.proxy(post.dispatcher) as dispatcher:
        told = dispatcher.settings() if hasattr(dispatcher, "settings") else {}
    local = {name: own[name] for name in ("data", "cache_dir", "log_level") if chosen.get(name)}
    return TrainingSettings.model_validate({**own, **told, **local})


def _build(
    worker_class: type[Worker], settings: WorkerSettings, training: TrainingSettings, post: _Post
) -> Worker:
    # The id is made unique because in containers host name and process id coincide.
    keywords: dict[str, Any] = {
        "run_id": post.run_id,
        "nameserver": settings.host,
        "nameserver_port": settings.port,
        "logger": logging.getLogger("bohb_seg.worker.hpbandster"),
        "id": uuid.uuid4().hex[:8],
    }
    if "settings" in inspect.signature(worker_class.__init__).parameters:
        keywords["settings"] = training
    return worker_class(**keywords)


def _say_hello(worker: Worker, post: _Post) -> None:
    facts = worker.facts() if hasattr(worker, "facts") else {}
    with security.proxy(post.dispatcher) as dispatcher:
        refusal = dispatcher.hello(worker.worker_id, facts) if hasattr(dispatcher, "hello") else ""
    if refusal:
        raise ServiceError(f"the master of run {post.run_id} refuses this worker: {refusal}")
    _log.info("serving run %s as %s", post.run_id, worker.worker_id)


def _stay_known(name: str, uri: str, settings: WorkerSettings, run_id: str) -> None:
    """Registers with the nameserver, and again whenever it or the master has forgotten us."""
    parent, known_to = os.getppid(), ""
    for _ in _tries(f"nameserver {settings.host}:{settings.port}", forever=True):
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


def _say_goodbye(name: str, settings: WorkerSettings, post: _Post) -> None:
    try:
        with security.nameserver(settings.host, settings.port) as names:
            names.remove(name)
        with security.proxy(post.dispatcher) as dispatcher:
            dispatcher.trigger_discover_worker()
    except (Pyro4.errors.PyroError, OSError) as error:
        _log.debug("could not say goodbye: %s", error)


def _tries(what: str, patience: float = math.inf, forever: bool = False) -> Iterator[None]:
    """Yields with growing pauses (constant ones if ``forever``); says once a minute what for."""
    start = said = time.monotonic()
    pause = LOOK_INTERVAL if forever else 0.2
    while time.monotonic() - start < patience:
        yield
        time.sleep(pause)
        if not forever:
            pause = min(2 * pause, LONGEST_WAIT)
            if time.monotonic() - said > SAY_EVERY or said == start:
                _log.info("waiting until there is %s", what)
                said = time.monotonic()


def _address_towards(host: str, port: int) -> str:
    """The address of the interface that leads to ``host``; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((host, port))
        return str(probe.getsockname()[0])


def _one_process_per_gpu() -> None:
    count = machine.nvidia_gpus()
    if not count:
        raise SettingsError("--device all-gpus: this machine shows no GPU; choose --device auto")
    rest = sys.argv[1:]
    children = [
        subprocess.Popen([sys.executable, "-m", "bohb_seg.worker", *rest, "--device", f"gpu:{gpu}"])
        for gpu in range(count)
    ]
    try:
        for child in children:
            child.wait()
    finally:
        for child in children:
            child.terminate()


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    signal.signal(number, signal.SIG_DFL)  # a second signal ends the process at once
    raise _LeaveError(number)


if __name__ == "__main__":
    main()
