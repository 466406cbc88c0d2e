"""The run that a worker serves: where its master is, and what the master tells its workers."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from bohb_seg.errors import RunOverError, ServiceError
from bohb_seg.files import read_regular
from bohb_seg.rpc import names, pyro
from bohb_seg.settings import TrainingSettings, WorkerSettings

LOOK_INTERVAL = 2.0
"""Seconds between two looks whether the nameserver of a stock master still knows the worker."""
LONGEST_HEARTBEAT = 10.0**6
"""Seconds; a master that tells more, or no number, is none."""
MAY_DIFFER = frozenset({"data", "cache_dir", "log_level"})
"""Settings that may differ between machines; a hash tells whether the data are the same."""


@dataclass(frozen=True)
class RunInfo:
    """A run to be served, and its master as it is now.

    Args:
        run_id: The run's name.
        dispatcher: Pyro address of the master's dispatcher.
        is_ours: Whether the master understands leases; a stock HpBandSter master does not.
        settings: Settings that all evaluations of the run share, as the master told them.
        heartbeat: Seconds between two signs of life.
        token: Text by which a worker recognises the master's storage; "" without one.
    """

    run_id: str
    dispatcher: str
    is_ours: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)
    heartbeat: float = LOOK_INTERVAL
    token: str = ""

    @property
    def storage(self) -> str:
        """Pyro address of the master's storage."""
        return f"PYRO:{names.storage_name(self.run_id)}@{self.dispatcher.rpartition('@')[2]}"

    def training_settings(self, own: WorkerSettings) -> TrainingSettings:
        """The run's settings; the worker's own where the master tells none or machines may differ.

        Raises:
            ServiceError: the master tells a setting that this version does not know.
        """
        values = {name: getattr(own, name) for name in TrainingSettings.model_fields}
        chosen_here = {name: values[name] for name in own.model_fields_set & MAY_DIFFER}
        try:
            return TrainingSettings.model_validate({**values, **self.settings, **chosen_here})
        except ValidationError as error:
            where = ".".join(map(str, error.errors()[0]["loc"]))
            raise ServiceError(
                f"the master of run {self.run_id} has a setting that this worker does not"
                f" understand ({where}); install the same version of bohb-seg on both machines"
            ) from None


def nameserver_address(settings: WorkerSettings) -> tuple[str, int]:
    """Host and port of the nameserver; with ``--run-dir`` they may be others at every call.

    Raises:
        OSError: ``--run-dir`` does not tell it, or not yet.
        RunOverError: the run in ``--run-dir`` is finished.
    """
    if settings.run_dir is None or "host" in settings.model_fields_set:
        return settings.host, settings.port
    file = settings.run_dir / names.NAMESERVER_FILE
    try:
        told = json.loads(read_regular(file))
        if told is None:
            raise RunOverError(f"the run in {settings.run_dir} is finished")
        host, port = told
        return str(host), int(port)
    except (ValueError, TypeError, RecursionError):
        raise OSError(f"{file} does not hold a host and a port") from None


def runs(settings: WorkerSettings, run_id: str = "") -> dict[str, str]:
    """Addresses of dispatchers by the names of their runs, as the nameserver knows them.

    Args:
        settings: Settings that tell where the nameserver is.
        run_id: Asks for this run only.
    """
    # The whole list holds all workers, too: 256 of them should not ask for it.
    only = names.dispatcher_name(run_id) if run_id else names.RUNS
    with (
        pyro.nameserver(*nameserver_address(settings)) as nameserver,
        pyro.bearing("the nameserver"),
    ):
        found = names.runs(nameserver.list(prefix=only))
        return {run_id: str(address) for run_id, address in found.items()}


def ask(run_id: str, remote: Any) -> RunInfo:
    """Asks a master, by a proxy of its dispatcher, what it tells its workers.

    Raises:
        pyro.TRANSIENT: it does not answer, or not as a master.
    """
    with pyro.bearing("the master"):
        dispatcher = remote._pyroUri.asString()
        if not hasattr(remote, "renew"):
            return RunInfo(run_id, dispatcher)
        terms = remote.terms()
        heartbeat, token = float(terms["heartbeat"]), str(terms["token"])
        if not 0 < heartbeat <= LONGEST_HEARTBEAT:
            raise ValueError(f"{heartbeat} s are no heartbeat")
        return RunInfo(run_id, dispatcher, True, dict(terms["settings"]), heartbeat, token)
