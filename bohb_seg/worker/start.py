"""Finds the run to serve, and makes the worker that serves it."""

import inspect
import logging
import math
import uuid
from typing import Any

from hpbandster.core.worker import Worker

from bohb_seg import machine, plugins
from bohb_seg.errors import PluginError, RunOverError, SettingsError
from bohb_seg.retry import Retry
from bohb_seg.rpc import pyro, speakers, tls
from bohb_seg.rpc.tls import CertificateOverError
from bohb_seg.settings import TrainingSettings, WorkerSettings
from bohb_seg.training.interruption import Interrupted
from bohb_seg.worker import run_info
from bohb_seg.worker.run_info import RunInfo, nameserver_address
from bohb_seg.worker.service import takes_settings

_log = logging.getLogger(__name__)


def load_worker_class(spec: str) -> type[Worker]:
    """Finds the worker class of ``workers/NAME.py`` or ``FILE.py[:Class]``.

    Raises:
        UnknownPluginError: no such name; lists those that exist.
        PluginError: the file is missing, or fails.
        SettingsError: it does not hold one such class.
    """
    module, class_name = plugins.find("workers", spec), plugins.parts("workers", spec)[1]
    classes = {
        name: value
        for name, value in vars(module).items()
        if inspect.isclass(value) and issubclass(value, Worker) and value is not Worker
    }
    if class_name:
        classes = {name: value for name, value in classes.items() if name == class_name}
    if len(classes) != 1:
        raise SettingsError(
            f"--worker {spec}: {module.__file__} holds {len(classes)} fitting subclasses of"
            " HpBandSter's Worker; name one as FILE.py:Class"
        )
    return next(iter(classes.values()))


def find_run(settings: WorkerSettings) -> RunInfo:
    """Waits until the nameserver knows a run to serve, and its master answers.

    Raises:
        Interrupted: the run is over, or ``--idle-timeout`` is.
        CertificateOverError: the master takes this worker's certificate no more.
        SettingsError: the nameserver knows several runs, and none was chosen.
    """
    where = f"nameserver {settings.run_dir or machine.location(settings.host, settings.port)}"
    wanted = f"run {settings.run_id}" if settings.run_id else "a run to serve"
    why = f"{where} does not know {wanted} yet"
    retry = Retry(why, patience=settings.idle_timeout or math.inf)
    while True:
        try:
            found = run_info.runs(settings, settings.run_id)
            if len(found) > 1:
                names = " or ".join(found)
                raise SettingsError(f"{where} knows several runs; choose --run-id {names}")
            for run_id, dispatcher in found.items():
                with pyro.proxy(dispatcher, of="master") as master:
                    return run_info.ask(run_id, master)
            reason = f"it knows {', '.join(run_info.runs(settings)) or 'none'}"
        except RunOverError as over:
            raise Interrupted(str(over)) from None
        except CertificateOverError:
            raise
        except pyro.TRANSIENT as error:
            reason = str(error)
        if not retry.pause(reason):
            raise Interrupted(f"{why}, and --idle-timeout is over")


def build(
    worker_class: type[Worker], settings: WorkerSettings, training: TrainingSettings, run_id: str
) -> Worker:
    """Makes the worker that serves a run, with an id of its own.

    Args:
        worker_class: Class of the program.
        settings: The worker's settings.
        training: Settings that all evaluations of the run share.
        run_id: Name of the run.

    Raises:
        PluginError: this machine lacks a file that the run names.
    """
    host, port = nameserver_address(settings)
    # The id is made unique because in containers host name and process id coincide.
    keywords: dict[str, Any] = {
        "run_id": run_id,
        "nameserver": host,
        "nameserver_port": port,
        "logger": logging.getLogger("bohb_seg.worker.start.hpbandster"),
        "id": uuid.uuid4().hex[:8],
    }
    if takes_settings(worker_class):
        _check_files(training)
        keywords["settings"] = training
    worker = worker_class(**keywords)
    worker.worker_id = speakers.marked(worker.worker_id, tls.own())
    return worker


def _check_files(training: TrainingSettings) -> None:
    """Makes sure that this machine has the model and the data set, which the master names."""
    dataset, _ = plugins.parts("datasets", training.data)
    try:
        plugins.file_of("models", training.model)
        if dataset.endswith(".py"):
            plugins.file_of("datasets", dataset)
    except PluginError as error:
        raise PluginError(
            f"this machine cannot serve the run: {error}, or copy it from the master's machine"
        ) from None
