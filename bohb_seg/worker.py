"""``bohb-worker``: finds a run and serves it with a program of ``workers/``."""

import ctypes
import importlib.util
import inspect
import logging
import math
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path
from typing import Any, NoReturn

import click
from hpbandster.core.worker import Worker

from bohb_seg import check, command_line, devices, machine, plugins, post, security
from bohb_seg.errors import RunOverError, SettingsError
from bohb_seg.interruption import FORWARDED, Departure, Interrupted
from bohb_seg.post import Post
from bohb_seg.serving import serve, takes_settings
from bohb_seg.settings import TrainingSettings, WorkerSettings, merge
from bohb_seg.waiting import tries

LOOK_AT_PARENT = 1.0
"""Seconds between two looks whether the parent is there, where the kernel does not tell."""
_PR_SET_PDEATHSIG = 1
"""Of Linux' prctl: the signal that a process gets when its parent dies."""

_departure = Departure()
_log = logging.getLogger(__name__)


@click.command("bohb-worker")
@command_line.settings_flags(WorkerSettings)
def command(config: Path | None, **flags: object) -> int:
    """Serve a run: wait for its master, train what it sends, until it says that all is done.

    Example: bohb-worker --host 10.0.0.1 --data /data/aerial
    """
    settings = merge(WorkerSettings, flags, config)
    _departure.notice = settings.notice
    command_line.start_logging(settings.log_level)
    if settings.check or settings.only:
        return check.run(settings, load_worker_class, _build)
    if settings.leave_with_parent:
        _leave_with_parent()
    worker_class = load_worker_class(settings.worker)
    if settings.device == "all-gpus":
        _one_process_per_gpu()
        return 0
    devices.prepare(settings.device, settings.threads)  # before a master is waited for
    if takes_settings(worker_class):
        devices.confirm(settings.device)
    security.set_up_pyro(settings.tls, "worker")
    found = _find_post(settings)
    training = found.training_settings(settings)
    worker = _build(worker_class, settings, training, found.run_id)
    serve(worker, settings, found, _departure)
    return 0


def main() -> NoReturn:
    """Entry point of ``bohb-worker``."""
    _departure.listen()
    try:
        command_line.run(command)
    except Interrupted as reason:
        _log.info("left: %s", reason)
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


def _find_post(settings: WorkerSettings) -> Post:
    """Waits until the nameserver knows a run to serve, and its master answers.

    Raises:
        Interrupted: the run is over, or ``--idle-timeout`` is.
    """
    where = f"nameserver {settings.run_dir or f'{settings.host}:{settings.port}'}"
    wanted = f"run {settings.run_id}" if settings.run_id else "a run to serve"
    why = f"{where} does not know {wanted} yet"
    for waiting in tries(why, patience=settings.idle_timeout or math.inf):
        try:
            found = post.runs(settings, settings.run_id)
            if len(found) > 1:
                names = " or ".join(found)
                raise SettingsError(f"{where} knows several runs; choose --run-id {names}")
            for run_id, dispatcher in found.items():
                with security.proxy(dispatcher, of="master") as master:
                    return post.ask(run_id, master)
            waiting.because(f"it knows {', '.join(post.runs(settings)) or 'none'}")
        except RunOverError as over:
            raise Interrupted(str(over)) from None
        except security.TRANSIENT as error:
            waiting.because(error)
    raise Interrupted(f"{why}, and --idle-timeout is over")


def _build(
    worker_class: type[Worker], settings: WorkerSettings, training: TrainingSettings, run_id: str
) -> Worker:
    host, port = settings.nameserver
    # The id is made unique because in containers host name and process id coincide.
    keywords: dict[str, Any] = {
        "run_id": run_id,
        "nameserver": host,
        "nameserver_port": port,
        "logger": logging.getLogger("bohb_seg.worker.hpbandster"),
        "id": uuid.uuid4().hex[:8],
    }
    if takes_settings(worker_class):
        keywords["settings"] = training
    return worker_class(**keywords)


def _one_process_per_gpu() -> None:
    count = len(machine.gpus())
    if not count:
        raise SettingsError("--device all-gpus: this machine shows no GPU; choose --device auto")
    rest = [*sys.argv[1:], "--leave-with-parent"]
    children = [
        subprocess.Popen(
            [sys.executable, "-m", "bohb_seg.worker", *rest, "--device", f"gpu:{gpu}"],
            start_new_session=True,  # Ctrl-C reaches this process alone, which tells them
        )
        for gpu in range(count)
    ]
    try:
        for child in children:
            child.wait()
    finally:
        for child in children:
            child.send_signal(FORWARDED)
        for child in children:
            child.wait()


def _leave_with_parent() -> None:
    """Ends this process when the one that started it is gone, killed for example."""
    parent = os.getppid()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

    def look() -> None:
        while os.getppid() == parent:
            time.sleep(LOOK_AT_PARENT)
        os._exit(0)

    threading.Thread(target=look, name="parent", daemon=True).start()


if __name__ == "__main__":
    main()
