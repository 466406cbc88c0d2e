"""The process that serves the dashboard.

``/`` is the report, ``/journal`` shows the last entries of the journal. There is nothing else, and
nothing can be changed. A connection carries one request. As in :mod:`bohb_seg.rpc.daemon` the
server waits for nobody: every connection has a thread and a deadline, and when there are too many
the oldest is closed.
"""

import contextlib
import logging
import os
import secrets
import socket
import ssl
import sys
import threading
import time
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any, Final, final
from urllib.parse import parse_qs, urlsplit

from bohb_seg.dashboard.access import AccessPolicy
from bohb_seg.dashboard.pages import Page, RunPages

ASKING: Final = 10.0
"""Seconds for TLS handshake and request together."""
ANSWERING: Final = 90.0
"""Seconds for the answer: the wait for a report, and a few megabytes over a slow line."""
MOST: Final = 64
"""Most connections at a time; a browser makes one every few seconds."""
REQUEST_BYTES: Final = 16_384
"""Longest request in bytes: a browser sends about one kilobyte, and the cookies of every service
under the same name."""
NICENESS: Final = 10
"""Added to the process' nice value: the search comes first."""

_HEADERS: Final[Mapping[str, str]] = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_POLICY = (
    "default-src 'none'; img-src data:; style-src 'nonce-{0}'; script-src 'nonce-{0}';"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

_log = logging.getLogger(__name__)


@final
class DashboardServer(ThreadingHTTPServer):
    """Serves the pages of a run.

    Args:
        listening: The socket that is served, already listening.
        pages: The pages of the run.
        access: Decides who may look.
        tls: Context for HTTPS; None speaks plain HTTP.
    """

    daemon_threads = True

    def __init__(
        self,
        listening: socket.socket,
        pages: RunPages,
        access: AccessPolicy,
        tls: ssl.SSLContext | None,
    ) -> None:
        super().__init__(listening.getsockname(), _RequestHandler, bind_and_activate=False)
        self.socket.close()  # the one that the library has made
        self.socket = listening
        self.pages, self.access, self._tls = pages, access, tls
        self._deadlines: dict[socket.socket, float] = {}  # oldest first
        self._lock = threading.Lock()

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accepts a connection; sends nothing and waits for nothing."""
        connection, peer = super().get_request()
        if self._tls is not None:
            connection = self._tls.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        return connection, peer

    def process_request(self, request: Any, client_address: Any) -> None:
        """Gives a connection a deadline and a thread."""
        with self._lock:
            if len(self._deadlines) >= MOST:
                oldest = next(iter(self._deadlines))
                del self._deadlines[oldest]
                _end(oldest)
            self._deadlines[request] = time.monotonic() + ASKING
        super().process_request(request, client_address)

    def extend(self, connection: socket.socket) -> None:
        """Gives a connection whose request has come its time for the answer."""
        with self._lock:
            if connection in self._deadlines:
                self._deadlines[connection] = time.monotonic() + ANSWERING

    def service_actions(self) -> None:
        """Ends connections that are too slow; the library calls this twice a second."""
        now = time.monotonic()
        with self._lock:
            for connection, deadline in self._deadlines.items():
                if deadline < now:
                    _end(connection)

    def shutdown_request(self, request: Any) -> None:
        """Closes a connection; its number is used again, so nobody may touch it any more."""
        with self._lock:
            self._deadlines.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Logs our own faults; connections break off all the time."""
        ours = not isinstance(sys.exception(), OSError)
        level = logging.ERROR if ours else logging.DEBUG
        _log.log(level, "a request from %s failed", client_address[0], exc_info=True)


class _RequestHandler(BaseHTTPRequestHandler):
    """Answers the request of one connection."""

    server: DashboardServer

    def handle(self) -> None:
        """Collects the whole request first: by lines, many short waits would add up."""
        head = b""
        while b"\r\n\r\n" not in head:
            more = self.connection.recv(REQUEST_BYTES - len(head))
            if not more:  # the visitor left, was too slow, or sends too much
                return
            head += more
        self.server.extend(self.connection)
        self.rfile = BytesIO(head)
        super().handle()

    def do_GET(self) -> None:
        """Answers with a page, unless the visitor has this version already."""
        access = self.server.access
        try:
            address = urlsplit(self.path)
            query = parse_qs(address.query, max_num_fields=10)
            refusal = access.refusal(self.headers, query)
        except ValueError:
            return self.send_error(HTTPStatus.BAD_REQUEST)
        if refusal:
            return self.send_error(HTTPStatus.FORBIDDEN, refusal)
        page = self._page(address.path)
        if page is None:
            return self.send_error(HTTPStatus.NOT_FOUND)
        cookie = {"Set-Cookie": access.cookie} if access.brings_token(query) else {}
        if self.headers.get("If-None-Match") == page.version:
            return self._answer(HTTPStatus.NOT_MODIFIED, b"", {"ETag": page.version})
        nonce = secrets.token_urlsafe(16)
        headers = {"ETag": page.version, "Content-Security-Policy": _POLICY.format(nonce)}
        kind = {"Content-Type": "text/html; charset=utf-8"}
        return self._answer(HTTPStatus.OK, page.render(nonce), {**headers, **kind, **cookie})

    do_HEAD = do_GET  # noqa: N815 - the library's name

    def _page(self, path: str) -> Page | None:
        if path == "/":
            return self.server.pages.report()
        return self.server.pages.tail() if path == "/journal" else None

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answers with one sentence, which repeats nothing that the visitor sent."""
        status = HTTPStatus(code)
        sentence = f": {message}" if status == HTTPStatus.FORBIDDEN else ""
        headers = {
            "Content-Type": "text/plain; charset=utf-8",
            "Content-Security-Policy": _POLICY.format("none"),
        }
        self._answer(status, f"{status.phrase}{sentence}\n".encode(), headers)

    def _answer(self, status: HTTPStatus, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {**_HEADERS, **headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def version_string(self) -> str:
        """Name of the server; strangers learn no versions."""
        return "bohb-seg"

    def log_message(self, format: str, *args: Any) -> None:
        """Logs nothing: a link has the secret in it."""


def serve(run_dir: str, run_id: str, number: str, host: str, tls: str) -> None:
    """Serves until the standard input ends; its first line is the secret.

    Args:
        run_dir: The run directory.
        run_id: Name of the run.
        number: File descriptor of the listening socket.
        host: Name by which this machine is called if there is no secret.
        tls: Folder with the master's certificate; "" speaks plain HTTP.
    """
    os.nice(NICENESS)
    token = sys.stdin.readline().strip()
    threading.Thread(target=_leave_with_master, name="master", daemon=True).start()
    access = AccessPolicy(token, host, run_id, secure=bool(tls))
    context = _context(Path(tls)) if tls else None
    listening, pages = socket.socket(fileno=int(number)), RunPages(Path(run_dir), run_id)
    DashboardServer(listening, pages, access, context).serve_forever()


def _leave_with_master() -> None:
    """Ends the process with the master: its pipe closes even after ``kill -9``."""
    sys.stdin.read()
    os._exit(0)


def _context(folder: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(folder / "master.pem", folder / "master.key")
    return context


def _end(connection: socket.socket) -> None:
    """Wakes the thread of a connection, which then closes it."""
    with contextlib.suppress(OSError):
        # Not the shutdown of a TLS socket: it would first make further sending unencrypted.
        socket.socket.shutdown(connection, socket.SHUT_RDWR)
