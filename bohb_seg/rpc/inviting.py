"""The authority's door while it has invitations: answers machines that have no certificate yet.

It shows the certificate of the master, tells everybody the authority's, and signs a key for whoever
knows the secret of an invitation. Each conversation has ten seconds and a thread; when too many
come, the oldest goes, so that a flood locks nobody out for long.
"""

import contextlib
import logging
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final, final

from cryptography.hazmat.primitives import serialization
from Pyro4 import socketutil

from bohb_seg import machine
from bohb_seg.errors import BohbSegError, ServiceError
from bohb_seg.rpc import lines, tls
from bohb_seg.rpc.complaints import Complaints
from bohb_seg.rpc.invitations import Invitations

MOST_GUESTS: Final = 64
"""Conversations at a time."""
MOST_LINES: Final = 4
"""Lines of one guest; one or two are enough."""
_TICK = 0.2
"""Seconds between two looks for guests that are too slow."""
_BROKEN = (OSError, ValueError)

_log = logging.getLogger(__name__)


@final
class Door:
    """Listens as long as an invitation waits.

    Args:
        invitations: Who is invited.
        folder: Holds the authority's and the master's certificate.
        host: Address to serve on.
        port: Port to serve on; 0 takes any free one.

    Attributes:
        port: The port.

    Raises:
        ServiceError: the port cannot be had.
        SettingsError: a certificate is missing, unreadable or expired.
    """

    def __init__(self, invitations: Invitations, folder: Path, host: str, port: int) -> None:
        self._invitations = invitations
        self._context = tls.welcome(folder)
        authority = tls.certificate(folder / tls.AUTHORITY)
        self._authority = authority.public_bytes(serialization.Encoding.PEM).decode()
        self._guests: dict[ssl.SSLSocket, float] = {}  # oldest first; until when each may stay
        self._lock = threading.Lock()
        self._complaints = Complaints(_log)
        try:
            self._socket = socketutil.createSocket(
                bind=(host, port), reuseaddr=True, timeout=_TICK, noinherit=True
            )
            self._socket.listen(MOST_GUESTS)
        except OSError as error:
            raise ServiceError(
                f"cannot serve on {machine.location(host, port)} ({error.strerror or error});"
                " choose another --port or --host, or end what uses it"
            ) from None
        self.port = int(self._socket.getsockname()[1])

    def serve(self) -> None:
        """Answers until nobody may come any more."""
        with self._socket:
            while self._invitations.waits:
                try:
                    guest, address = self._socket.accept()
                except TimeoutError:
                    pass
                except OSError as error:  # no descriptors left
                    self._complaints.complain("accept", f"cannot take a connection: {error}")
                    time.sleep(_TICK)
                else:
                    self._welcome(guest, address[0])
                self._show_out()

    def _welcome(self, came: socket.socket, peer: str) -> None:
        try:
            guest = self._context.wrap_socket(came, server_side=True, do_handshake_on_connect=False)
        except (OSError, ValueError):  # it has left already
            came.close()
            return
        with self._lock:
            self._guests[guest] = time.monotonic() + lines.WHOLE_TIME
        try:
            threading.Thread(target=self._attend, args=(guest, peer), daemon=True).start()
        except RuntimeError as error:
            self._complaints.complain("thread", f"cannot answer {peer}: {error}")
            self._forget(guest)

    def _show_out(self) -> None:
        """Ends the conversations that are too slow, and the oldest if there are too many."""
        now = time.monotonic()
        with self._lock:
            guests = list(self._guests)
            late = [guest for guest, until in self._guests.items() if until < now]
            for guest in (*guests[:-MOST_GUESTS], *late):
                with contextlib.suppress(OSError):  # as rpc.connection does: its thread closes it
                    socket.socket.shutdown(guest, socket.SHUT_RDWR)

    def _attend(self, guest: ssl.SSLSocket, peer: str) -> None:
        try:
            guest.do_handshake()
            self._talk(guest, peer)
        except _BROKEN as error:
            self._complaints.complain((peer, type(error)), f"dropped {peer}: {error}")
        finally:
            self._forget(guest)

    def _forget(self, guest: ssl.SSLSocket) -> None:
        with self._lock:
            self._guests.pop(guest, None)
        guest.close()

    def _talk(self, guest: ssl.SSLSocket, peer: str) -> None:
        for _ in range(MOST_LINES):
            asked = lines.hear(guest, time.monotonic() + lines.WHOLE_TIME)
            if not asked:
                return
            try:
                lines.say(guest, **self._answer(asked, peer))
            except BohbSegError as refusal:
                self._complaints.complain((peer, "refused"), f"refused {peer}: {refusal}")
                lines.say(guest, refused=str(refusal))

    def _answer(self, asked: Mapping[str, str], peer: str) -> dict[str, str]:
        match asked:
            case {"ask": "authority"}:
                return {"authority": self._authority}
            case {"ask": "certificate", "name": name, "secret": secret, "request": request}:
                return {"certificate": self._invitations.certify(name, secret, request)}
            case {"ask": "kept", "name": name, "secret": secret}:
                self._invitations.keep(name, secret)
                _log.info("%s has joined from %s", name, peer)
                return {"kept": name}
        raise ServiceError("the question is not understood; install the same version on both sides")
