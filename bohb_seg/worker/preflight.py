"""``bohb-worker --check``: checks everything that a worker needs on this machine, and ends.

Each check prints one line: mark, name, finding. A ``FAIL`` would keep a worker from its work, and
says what to do; a ``note`` would not. Checks that depend on a failed one are left out, all others
are made. Quick checks come first, those that load Keras late.

Taken from others: a remedy with every failure from ``linkerd check``; one check that can be made
alone, as a probe, from ``ray health-check --component``.
"""

import os
import platform
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import final

import click
from hpbandster.core.worker import Worker

from bohb_seg import machine, plugins
from bohb_seg.errors import EXIT_BAD_INPUT, BohbSegError, SettingsError, printable
from bohb_seg.settings import TrainingSettings, WorkerSettings
from bohb_seg.training import devices
from bohb_seg.worker import service
from bohb_seg.worker.preflight_network import Finding, NetworkChecks, reason
from bohb_seg.worker.shutdown import SIGNALS

LITTLE_ROOM_GB = 1.0
"""Gigabytes of free space below which the cache is noted: decoded images take four bytes a pixel,
checkpoints come on top."""

Load = Callable[[str], type[Worker]]
Build = Callable[[type[Worker], WorkerSettings, TrainingSettings, str], Worker]
Step = Callable[[], Finding | None]


def run(settings: WorkerSettings, load: Load, build: Build) -> int:
    """Prints all findings; returns the exit status, 0 if a worker could start here.

    Args:
        settings: Settings of the worker.
        load: Finds the class that ``--worker`` means.
        build: Makes a worker of that class.
    """
    for number in SIGNALS:  # there is nothing to hand back, and an early end is no success
        signal.signal(number, signal.SIG_DFL)
    failed = []
    for name, step in _steps(settings, load, build).items():
        finding = _found(step)
        if finding is not None:
            click.echo(printable(f"{finding.mark:<5} {name:<13} {finding.text}"))
            failed += [name] if finding.mark == "FAIL" else []
    click.echo(f"not ready: {', '.join(failed)}" if failed else "ready")
    return EXIT_BAD_INPUT if failed else 0


def _steps(settings: WorkerSettings, load: Load, build: Build) -> Mapping[str, Step]:
    """Checks by name, in their order."""
    network = NetworkChecks(settings)
    first = {"certificates": network.certificates, "nameserver": network.nameserver}
    if settings.only == "nameserver":
        return first
    here = _MachineChecks(settings, network, load, build)
    return {
        "versions": _versions,
        "machine": _machine,
        **first,
        "run": network.run,
        "address": network.address,
        "program": here.program,
        "backend": here.backend,
        "device": here.device,
        "cache": here.cache,
        "data": here.data,
        "admission": lambda: network.admission(here.facts),
    }


def _found(step: Step) -> Finding | None:
    try:
        return step()
    except BohbSegError as error:
        return Finding(str(error), "FAIL")
    except Exception as error:  # whatever it is, the rest is worth looking at
        return Finding(f"{type(error).__name__}: {reason(error)}", "FAIL")


def _versions() -> Finding:
    packages = (f"{name} {version(name)}" for name in ("bohb-seg", "hpbandster", "Pyro4"))
    return Finding(f"{', '.join(packages)}, Python {platform.python_version()}")


def _machine() -> Finding:
    return Finding(
        f"{machine.processors()} processors, {machine.memory_gb()} GB,"
        f" {len(machine.gpus())} NVIDIA GPUs, {machine.tpu_chips()} TPU chips"
    )


@final
class _MachineChecks:
    """Checks of this machine; the run, if it was found, decides how the data are read.

    Attributes:
        facts: Facts that the master compares; more of them after :meth:`data`.
    """

    def __init__(
        self, settings: WorkerSettings, network: NetworkChecks, load: Load, build: Build
    ) -> None:
        self._settings, self._network = settings, network
        self._load, self._build = load, build
        self._device = settings.device.replace("all-gpus", "gpu")
        self._class: type[Worker] | None = None
        self._worker: Worker | None = None
        self.facts = {"version": version("bohb-seg")}

    def program(self) -> Finding:
        """Whether ``--worker`` can be loaded."""
        spec, found = self._settings.worker, self._network.run_info
        run_id = found.run_id if found else self._settings.run_id
        here = self._settings.model_copy(update={"run_dir": None})  # it never looks for its master
        try:
            self._class = self._load(spec)
            self._worker = self._build(self._class, here, self._network.training, run_id)
        except BohbSegError:
            raise
        except Exception as error:
            raise SettingsError(
                f"--worker {spec} cannot be loaded ({type(error).__name__}: {reason(error)});"
                " mend it, or install what it needs"
            ) from None
        file = plugins.file_of("workers", spec)
        return Finding(f"{self._class.__name__} of {file}")

    def backend(self) -> Finding:
        """Keras' backend."""
        devices.prepare(self._device, self._settings.threads)
        backend = os.environ["KERAS_BACKEND"]
        if self._class and not service.takes_settings(self._class):
            return Finding(f"{backend}, not loaded: the program does not train with our settings")
        import keras

        return Finding(f"{backend} {sys.modules[backend].__version__}, Keras {keras.__version__}")

    def device(self) -> Finding | None:
        """Device that trains, and its precision; whether it is the device that was asked for."""
        if "keras" not in sys.modules:
            return None
        devices.confirm(self._device)
        found, policy = devices.describe(), devices.policy(self._network.training.precision)
        unseen = self._device == "auto" and (machine.gpus() or machine.tpu_chips())
        if found.startswith("cpu") and unseen:
            backend = os.environ["KERAS_BACKEND"]
            return Finding(f"{found}, {policy}: {backend} sees none of the GPUs or TPUs", "note")
        return Finding(f"{found}, {policy}")

    def cache(self) -> Finding:
        """Whether ``--cache-dir`` can be written, and how much room there is."""
        place = self._settings.cache_dir
        try:
            place.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=place):
                free = shutil.disk_usage(place).free / 2**30
        except OSError as error:
            raise SettingsError(
                f"--cache-dir {place} cannot be written ({reason(error)}); choose another"
            ) from None
        return Finding(f"{place}, {free:.1f} GB free", "ok" if free > LITTLE_ROOM_GB else "note")

    def data(self) -> Finding | None:
        """Data that the program trains on, and the facts that the master will compare."""
        if self._worker is None:
            return None
        from bohb_seg.data.preparation import SegmentationData

        self.facts = service.facts(self._worker)
        fingerprint = self.facts.get("fingerprint", "")[:12]
        data = getattr(self._worker, "data", None)
        if not isinstance(data, SegmentationData):
            return Finding(f"fingerprint {fingerprint}" if fingerprint else "none")
        patches = ", ".join(f"{len(part)} {name}" for name, part in data.parts.items())
        return Finding(
            f"{self._network.training.data}, {data.audit.images} images, patches: {patches};"
            f" fingerprint {fingerprint}"
        )
