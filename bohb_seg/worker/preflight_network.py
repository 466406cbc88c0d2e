"""Checks of ``bohb-worker --check`` between this machine and the master's."""

import socket
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Literal, final

from bohb_seg import machine
from bohb_seg.errors import RunOverError, ServiceError, SettingsError
from bohb_seg.rpc import pyro, tls
from bohb_seg.settings import TrainingSettings, WorkerSettings
from bohb_seg.worker import run_info, service
from bohb_seg.worker.run_info import RunInfo

SOON: Final = timedelta(days=30)
"""Certificates that expire within it are noted: longer than most runs and most holidays."""
KNOCK = 3.0
"""Seconds for a bare connection, which tells a closed port from one that speaks otherwise."""


@dataclass(frozen=True)
class Finding:
    """Result of one check, in one line."""

    text: str
    mark: Literal["ok", "note", "FAIL"] = "ok"


@final
class NetworkChecks:
    """Checks of certificates, nameserver, run and address; each needs the findings of earlier ones.

    A check answers None if a check that it depends on failed.

    Args:
        settings: Settings of the worker.

    Attributes:
        run_info: The run that a worker would serve, once :meth:`run` has found it.
        training: Settings that its evaluations share; the worker's own until the run is found.
    """

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings
        self._secured = False
        self._runs: Mapping[str, str] | None = None
        self.run_info: RunInfo | None = None
        self.training: TrainingSettings = settings

    def certificates(self) -> Finding:
        """Whether our certificates are valid, until when, and who may read the key."""
        folder = self._settings.tls
        pyro.set_up_pyro(folder, "worker")
        self._secured = True
        if folder is None:
            return Finding("none, because there is no --tls")
        until, key, notes = tls.valid_until(folder, "worker"), folder / "worker.key", []
        if until - datetime.now(UTC) < SOON:
            notes.append("make new ones in another folder with bohb-certs")
        if key.stat().st_mode & stat.S_IRWXO:  # a group's may be meant, as in Kubernetes
            notes.append(f"others may read {key.name}: chmod 600 it")
        text = f"those of {folder} are valid until {until:%Y-%m-%d}"
        return Finding("; ".join([text, *notes]), "note" if notes else "ok")

    def nameserver(self) -> Finding | None:
        """Whether it answers, and which runs it knows."""
        if not self._secured:
            return None
        host, port = self._place()
        try:
            self._runs = run_info.runs(self._settings)
        except tls.CertificateOverError:
            raise
        except pyro.TRANSIENT as error:
            raise ServiceError(_unanswered(host, port, self._settings.tls, error)) from None
        where = machine.location(host, port)
        text = f"{where} answers and knows {', '.join(self._runs) or 'no run yet'}"
        if self._settings.tls or machine.is_loopback(host):
            return Finding(text)
        return Finding(f"{text}; without --tls nothing is encrypted, nobody refused", "note")

    def run(self) -> Finding | None:
        """Whether the run to serve is there, and its master answers."""
        if self._runs is None:
            return None
        wanted = self._settings.run_id
        found = {name: uri for name, uri in self._runs.items() if wanted in ("", name)}
        if not found:
            return Finding(f"{wanted or 'none'} is not there yet: a worker would wait", "note")
        if len(found) > 1:
            raise SettingsError(f"there are several; choose --run-id {' or '.join(found)}")
        ((run_id, dispatcher),) = found.items()
        try:
            with pyro.proxy(dispatcher, of="master") as master:
                found_run = run_info.ask(run_id, master)
        except pyro.TRANSIENT as error:
            raise ServiceError(
                f"the master of {run_id} does not answer at {dispatcher.rpartition('@')[2]}"
                f" ({reason(error)}); start it again with --resume, or open its port"
            ) from None
        self.run_info = found_run
        self.training = found_run.training_settings(self._settings)
        kind = "master" if found_run.is_ours else "stock HpBandSter master"
        return Finding(f"the {kind} of {run_id} answers")

    def address(self) -> Finding:
        """Address at which the worker itself would serve."""
        host = self._settings.bind or self._address_towards_master()
        service.refuse_everywhere(host)
        try:
            family, kind, _, _, place = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)[0]
            with socket.socket(family, kind) as probe:
                probe.bind(place)
        except OSError as error:
            raise service.cannot_bind(host, reason(error)) from None
        return Finding(f"the master would call {host}, at any free port")

    def admission(self, facts: Mapping[str, str]) -> Finding | None:
        """Whether the master would take a worker with these facts."""
        if self.run_info is None or not self.run_info.is_ours:
            return None
        run_id = self.run_info.run_id
        with pyro.proxy(self.run_info.dispatcher, of="master") as master:
            refusal = str(master.hello(f"--check on {socket.gethostname()}", dict(facts)))
        if refusal:
            raise ServiceError(f"the master of {run_id} would refuse this worker: {refusal}")
        return Finding(f"the master of {run_id} would take this worker")

    def _place(self) -> tuple[str, int]:
        """Host and port of the nameserver.

        Raises:
            RunOverError: ``--run-dir`` says that the run is finished.
            ServiceError: ``--run-dir`` does not tell it yet.
        """
        try:
            return run_info.nameserver_address(self._settings)
        except RunOverError:
            raise
        except OSError as error:
            raise ServiceError(
                f"--run-dir {self._settings.run_dir} does not tell where the master is"
                f" ({reason(error)}); start the master with it, or give --host and --port"
            ) from None

    def _address_towards_master(self) -> str:
        host, port = self._place()
        try:
            return service.address_towards(host, port)
        except OSError as error:
            raise SettingsError(
                f"no way leads to --host {host} ({reason(error)}); check it"
            ) from None


def reason(error: BaseException) -> str:
    """Text of an error in one line, without the words that Pyro4 puts around it."""
    cause = error.__cause__ or error
    said = (isinstance(cause, OSError) and cause.strerror) or cause
    return " ".join(str(said).split())


def _unanswered(host: str, port: int, tls: Path | None, error: Exception) -> str:
    """Sentence on the likely cause of a nameserver's silence, and on what to check."""
    where = f"--host {host} --port {port}"
    try:
        socket.create_connection((host, port), KNOCK).close()
    except OSError as unreachable:
        return (
            f"{where} cannot be reached ({reason(unreachable)}); start the master, check both"
            " flags, and open the port on the master's machine"
        )
    if tls:
        return (
            f"{where} takes connections, but none with the certificates of --tls {tls}"
            f" ({reason(error)}); give both sides --tls with files that bohb-certs made at once"
        )
    return (
        f"{where} takes connections, but does not answer as a nameserver ({reason(error)});"
        " give --tls if the master has it, and check --port"
    )
