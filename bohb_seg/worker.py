"""``bohb-worker``: finds a run and serves it with a program of ``workers/``."""

import importlib.util
import inspect
import logging
import signal
import subprocess
import sys
import uuid
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import click
import Pyro4
from hpbandster.core.worker import Worker

from bohb_seg import command_line, devices, machine, plugins, security
from bohb_seg.errors import SettingsError
from bohb_seg.serving import Post, serve, tries
from bohb_seg.settings import TrainingSettings, WorkerSettings, merge

_log = logging.getLogger(__name__)


class _LeaveError(BaseException):
    """Raised in the main thread by SIGTERM or SIGINT; not an Exception, so no worker catches it."""


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
    training = _training_settings(settings, post)
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


def _find_post(settings: WorkerSettings) -> Post:
    """Waits until the nameserver knows the run's dispatcher."""
    where = f"nameserver {settings.host}:{settings.port}"
    for _ in tries(f"{where} knows no run to serve yet"):
        try:
            posts = _posts(settings)
        except (Pyro4.errors.PyroError, OSError):
            continue
        if len(posts) > 1:
            names = " or ".join(post.run_id for post in posts)
            raise SettingsError(f"{where} knows several runs; choose --run-id {names}")
        if posts:
            return posts[0]
    raise AssertionError("waiting for a run ended without one")


def _posts(settings: WorkerSettings) -> list[Post]:
    with security.nameserver(settings.host, settings.port) as names:
        found = names.list(prefix=f"hpbandster.run_{settings.run_id}")
    posts = [
        Post(name.removeprefix("hpbandster.run_").removesuffix(".dispatcher"), uri)
        for name, uri in sorted(found.items())
        if name.endswith(".dispatcher")
    ]
    return [post for post in posts if settings.run_id in ("", post.run_id)]


def _training_settings(settings: WorkerSettings, post: Post) -> TrainingSettings:
    """The run's own settings if its master tells them (a stock HpBandSter master does not)."""
    own = {name: getattr(settings, name) for name in TrainingSettings.model_fields}
    with security.proxy(post.dispatcher) as dispatcher:
        told = dispatcher.settings() if hasattr(dispatcher, "settings") else {}
    chosen_here = settings.model_fields_set & {"data", "cache_dir", "log_level"}
    return TrainingSettings.model_validate(
        {**own, **told, **{name: own[name] for name in chosen_here}}
    )


def _build(
    worker_class: type[Worker], settings: WorkerSettings, training: TrainingSettings, post: Post
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
