"""``bohb-worker``: finds a run and serves it with a program of ``workers/``."""

import ctypes
import faulthandler
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import NoReturn

import click

from bohb_seg import machine
from bohb_seg.commands import command_line
from bohb_seg.errors import SettingsError
from bohb_seg.rpc import pyro
from bohb_seg.settings import WorkerSettings, merge
from bohb_seg.training import devices
from bohb_seg.training.interruption import Interrupted
from bohb_seg.worker import preflight
from bohb_seg.worker.service import serve, takes_settings
from bohb_seg.worker.shutdown import FORWARDED, Shutdown
from bohb_seg.worker.start import build, find_run, load_worker_class

LOOK_AT_PARENT = 1.0
"""Seconds between two looks whether the parent is there, where the kernel does not tell."""
_PR_SET_PDEATHSIG = 1
"""Number by which Linux' ``prctl`` sets the signal that a process gets when its parent dies."""

_shutdown = Shutdown()
_log = logging.getLogger(__name__)


@click.command("bohb-worker")
@command_line.settings_flags(WorkerSettings)
def command(config: Path | None, **flags: object) -> int:
    """Serve a run: wait for its master, train what it sends, until it says that all is done.

    Example: bohb-worker --host 10.0.0.1 --data /data/aerial
    """
    settings = merge(WorkerSettings, flags, config)
    _shutdown.notice = settings.notice
    command_line.start_logging(settings.log_level)
    if settings.check or settings.only:
        return preflight.run(settings, load_worker_class, build)
    if settings.leave_with_parent:
        _leave_with_parent()
    worker_class = load_worker_class(settings.worker)
    if settings.device == "all-gpus":
        _one_process_per_gpu()
        return 0
    devices.prepare(settings.device, settings.threads)  # before a master is waited for
    if takes_settings(worker_class):
        devices.confirm(settings.device)
    pyro.set_up_pyro(settings.tls, "worker")
    found = find_run(settings)
    training = found.training_settings(settings)
    worker = build(worker_class, settings, training, found.run_id)
    serve(worker, settings, found, _shutdown)
    return 0


def main() -> NoReturn:
    """Entry point of ``bohb-worker``."""
    faulthandler.enable()  # a segmentation fault then says where it was
    _shutdown.listen()
    try:
        command_line.run(command)
    except Interrupted as reason:
        _log.info("left: %s", reason)
        sys.exit(0)
    finally:
        _shutdown.ignore_signals()


def _one_process_per_gpu() -> None:
    count = len(machine.gpus())
    if not count:
        raise SettingsError("--device all-gpus: this machine shows no GPU; choose --device auto")
    rest = [*sys.argv[1:], "--leave-with-parent"]
    children = [
        subprocess.Popen(
            [sys.executable, "-m", "bohb_seg.commands.worker", *rest, "--device", f"gpu:{gpu}"],
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
    """Makes this process end when the process that started it is gone, killed for example."""
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
