"""``bohb-worker``: finds a run and serves it with a program of ``workers/``."""

import contextlib
import faulthandler
import logging
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import click

from bohb_seg import machine
from bohb_seg.commands import command_line
from bohb_seg.errors import EXIT_BAD_INPUT, EXIT_FAULT, SettingsError
from bohb_seg.rpc import pyro
from bohb_seg.settings import WorkerSettings, merge
from bohb_seg.training import devices
from bohb_seg.training.interruption import Interrupted
from bohb_seg.worker import errand, preflight
from bohb_seg.worker.service import serve, takes_settings
from bohb_seg.worker.shutdown import FORWARDED, Shutdown
from bohb_seg.worker.start import build, find_run, load_worker_class

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
    if settings.deliver:
        return errand.run(settings)
    worker_class = load_worker_class(settings.worker)
    if settings.device == "all-gpus":
        return _one_process_per_gpu()
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
    with contextlib.suppress(OSError, ValueError, RuntimeError, AttributeError):  # no such stream
        faulthandler.enable()  # a segmentation fault then says where it was
    _shutdown.listen()
    try:
        command_line.run(command)
    except Interrupted as reason:
        _log.info("left: %s", reason)
        sys.exit(0)
    finally:
        _shutdown.ignore_signals()


def _one_process_per_gpu() -> int:
    """Starts a worker for each GPU and waits for all.

    Returns:
        0 if one of them ended well, 2 if all had bad input, else 70: another start may do.
    """
    count = len(machine.gpus())
    if not count:
        raise SettingsError("--device all-gpus: this machine shows no GPU; choose --device auto")
    workers: list[subprocess.Popen[bytes]] = []
    try:
        for gpu in range(count):
            workers += _worker_for(gpu)
        for worker in workers:
            worker.wait()
    finally:
        for worker in workers:
            worker.send_signal(FORWARDED)
        ends = [worker.wait() for worker in workers]
    if 0 in ends:
        return 0
    return EXIT_BAD_INPUT if set(ends) == {EXIT_BAD_INPUT} else EXIT_FAULT


def _worker_for(gpu: int) -> list[subprocess.Popen[bytes]]:
    """The worker of a GPU; none if it cannot be started, for the other GPUs are there."""
    words = (*sys.argv[1:], "--device", f"gpu:{gpu}")
    try:
        # In a session of its own: Ctrl-C reaches this process alone, which tells its workers.
        command = machine.tied("bohb_seg.commands.worker", *words)
        return [subprocess.Popen(command, start_new_session=True)]
    except OSError as error:
        _log.warning("no worker for GPU %d can be started (%s)", gpu, error.strerror or error)
        return []


if __name__ == "__main__":
    main()
