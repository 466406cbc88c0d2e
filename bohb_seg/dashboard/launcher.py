"""The master's side: takes the port, starts the process that serves it, notices its end.

With ``--tls`` the dashboard is HTTPS with the master's own certificate. Nobody is asked for a
certificate of his own, because people's browsers have none: on a network address the secret link
takes its place.
"""

import contextlib
import ipaddress
import logging
import os
import re
import secrets
import socket
import subprocess
from collections.abc import Mapping
from types import TracebackType
from typing import final

from bohb_seg import machine
from bohb_seg.errors import SettingsError
from bohb_seg.files import log_stream
from bohb_seg.settings import SearchSettings

TOKEN = "BOHB_DASHBOARD_TOKEN"
"""Environment variable with the secret of the link. It is no setting: settings are flags, which
everybody on a machine can read, and they are kept in the run directory."""
LOG = "dashboard.log"

_TOKEN_FORM = re.compile(r"[A-Za-z0-9._~-]{16,200}")
"""Needs no quoting in a link or a cookie, and is too long to be guessed."""
_TOKEN_BYTES = 24
_FAREWELL = 5.0
"""Seconds for the process to end after its pipe was closed; it needs milliseconds."""
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""Addresses to listen on that cannot be opened, and their place in the link."""

_log = logging.getLogger(__name__)


@final
class Dashboard:
    """The dashboard of a run, if ``--dashboard`` asks for one; to be used as a context manager.

    The port is taken here and passed on as an open socket: a port in use is refused before anything
    is written, and nobody can take it in between.

    Args:
        settings: All settings of the run.
        environment: Environment variables, for :data:`TOKEN`.

    Raises:
        SettingsError: the port cannot be had, strangers could read along, or the secret has a form
            that does not fit into a link.
    """

    def __init__(
        self, settings: SearchSettings, environment: Mapping[str, str] = os.environ
    ) -> None:
        self._settings = settings
        self._given = environment.get(TOKEN) or ""
        self._host = self._token = ""
        self._socket: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        if settings.dashboard is not None:
            self._take_port(settings.dashboard)

    def __enter__(self) -> "Dashboard":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Ends the process by closing its pipe."""
        if self._socket is not None:
            self._socket.close()
        if self._process is not None:
            _close_pipe(self._process)
            try:
                self._process.wait(_FAREWELL)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def start(self) -> None:
        """Starts the process and logs its link; the run directory must be there."""
        if self._socket is None:
            return
        try:
            self._process = self._started(self._socket)
        except OSError as error:
            _log.warning("the dashboard could not be started (%s); the search goes on", error)
        else:
            _log.info("the live report is at %s", self._link())
        # Were it open here, browsers would wait for a process that has ended.
        self._socket.close()
        self._socket = None

    def look_after(self) -> None:
        """Warns, once, if the process has ended."""
        if self._process is None or self._process.poll() is None:
            return
        _log.warning(
            "the dashboard ended with status %d, see %s; the search goes on",
            *(self._process.returncode, self._settings.run_dir / "logs" / LOG),
        )
        _close_pipe(self._process)
        self._process = None

    def _take_port(self, address: str) -> None:
        self._host, port = _split(address)
        family, place = _resolve(address, self._host, port)
        is_here = ipaddress.ip_address(place[0]).is_loopback
        if not is_here:
            _refuse_onlookers(self._settings)
        if self._given and not _TOKEN_FORM.fullmatch(self._given):
            raise SettingsError(
                f"{TOKEN} must have 16 to 200 letters, digits or . _ ~ -; leave it out and the"
                " master makes one"
            )
        self._token = self._given or ("" if is_here else secrets.token_urlsafe(_TOKEN_BYTES))
        self._socket = _listen(address, family, place)

    def _started(self, listening: socket.socket) -> subprocess.Popen[bytes]:
        number, tls = listening.fileno(), self._settings.tls or ""
        words = (self._settings.run_dir, self._settings.run_id, number, self._host, tls)
        with log_stream(self._settings.run_dir / "logs" / LOG) as stream:
            # In a session of its own, so that Ctrl-C reaches the master alone.
            process = subprocess.Popen(
                machine.tied("bohb_seg.commands.dashboard", *words),
                stdin=subprocess.PIPE,
                stdout=stream,
                stderr=stream,
                pass_fds=(number,),
                start_new_session=True,
                bufsize=0,
            )
        assert process.stdin is not None
        # Others may read the arguments and the environment of a process, but not its pipe.
        with contextlib.suppress(BrokenPipeError):  # it has ended: look_after() says so
            process.stdin.write(f"{self._token}\n".encode())
        return process

    def _link(self) -> str:
        assert self._socket is not None
        host = _EVERYWHERE.get(self._host, self._host)
        host = f"[{host}]" if ":" in host else host
        scheme = "https" if self._settings.tls else "http"
        link = f"{scheme}://{host}:{self._socket.getsockname()[1]}/"
        if self._given:  # whoever chose the secret knows it
            return f"{link}?token=${TOKEN}"
        return f"{link}?token={self._token}" if self._token else link


def _close_pipe(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.close()


def _split(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.removeprefix("[").removesuffix("]") or "127.0.0.1", int(port)


def _resolve(given: str, host: str, port: int) -> tuple[socket.AddressFamily, tuple[str, int]]:
    try:
        family, _, _, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise _cannot_serve(given, error) from None
    return family, (str(place[0]), port)


def _listen(given: str, family: socket.AddressFamily, place: tuple[str, int]) -> socket.socket:
    try:
        return socket.create_server(place, family=family)
    except OSError as error:
        raise _cannot_serve(given, error) from None


def _cannot_serve(given: str, error: OSError) -> SettingsError:
    reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
    return SettingsError(
        f"--dashboard {given} cannot be served ({reason or error}); choose another port or address,"
        " or end the program that uses it"
    )


def _refuse_onlookers(settings: SearchSettings) -> None:
    if settings.tls:
        return
    if not settings.insecure:
        raise SettingsError(
            f"--dashboard {settings.dashboard} can be reached from other machines and nothing is"
            " encrypted; give the port alone for this machine only, or add --tls DIR, or"
            " --insecure if everybody on that network may read along"
        )
    _log.warning(
        "--insecure: whoever listens on the network of %s can read the dashboard and its link",
        settings.dashboard,
    )
