"""A transport server in Pyro4's sense: it accepts connections and looks after them.

* The accepting loop waits for nobody. Every connection has a thread of its own, in which also the
  handshakes of TLS and Pyro4 happen.
* When there are too many strangers the oldest goes, so that a flood never locks out a worker. When
  too many have introduced themselves, the oldest goes of whoever has most: a flood hits its source.
* A connection's descriptor is closed by its own thread alone; others only shut it down, which ends
  every wait. Otherwise they might hit the next connection, which gets the same number.

Threads keep their usual stack: the parser under serpent needs one megabyte to refuse nested input.
"""

import contextlib
import logging
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Collection
from typing import Any, Final, final

import Pyro4
from Pyro4 import socketutil

from bohb_seg import machine
from bohb_seg.rpc import pyro, tls
from bohb_seg.rpc.complaints import Complaints
from bohb_seg.rpc.connection import STRANGERS_BYTES, Connection
from bohb_seg.rpc.holders import Role

MAX_STRANGERS: Final = 600
"""Connections that have not introduced themselves; above 256 workers that come at once."""
MAX_KNOWN: Final = 1536
"""Connections that have: twice the three that each of 256 workers has."""

_TICK = 0.5
"""Seconds between two looks for connections that are too slow."""
_GRACE = 0.3
"""Seconds that calls in progress get when the daemon ends."""
_ROOM = 0.1
"""Seconds that the oldest stranger gets to go before the next is asked to."""
_GONE = (Pyro4.errors.ConnectionClosedError, ConnectionError, ssl.SSLEOFError)
_Refused = Pyro4.errors.SecurityError

_log = logging.getLogger(__name__)


@final
class Server:
    """Accepts connections, and hands their messages to a Pyro4 daemon.

    Args:
        admits: Roles whose certificates are accepted; without TLS everybody is.
    """

    def __init__(self, admits: Collection[Role]) -> None:
        self.sock: Any = None
        self.locationStr = ""
        self._admits = admits
        self._strangers: dict[Connection, None] = {}  # oldest first
        self._known: dict[Connection, None] = {}  # oldest first
        self._changed = threading.Condition()
        self._closing = False
        self._stopped = threading.Event()
        self._stopped.set()
        self._next_look = 0.0
        self._complaints = Complaints(_log)

    def init(self, daemon: Any, host: str, port: int, unixsocket: object = None) -> None:
        """Takes the port; called by Pyro4."""
        self._daemon = daemon
        self.sock = socketutil.createSocket(
            bind=(host, port), reuseaddr=True, timeout=_TICK, noinherit=True, nodelay=True
        )
        self.sock.listen(1024)
        host, port = host or self.sock.getsockname()[0], self.sock.getsockname()[1]
        self.locationStr = machine.location(host, port)

    def loop(self) -> None:
        """Accepts connections until :meth:`close`."""
        self._stopped.clear()
        while not self._closing:
            try:
                sock, address = self.sock.accept()
            except TimeoutError:
                pass
            except OSError as error:
                self._cannot_accept(error)
            else:
                self._welcome(sock, address[0])
            self._drop_late()
        self._stopped.set()

    def close(self) -> None:
        """Ends the loop and all connections, in a fraction of a second."""
        self._closing = True
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self._stopped.wait(2 * _TICK)
        self.sock.close()
        with self._changed:
            for connection in self._all():
                connection.end(how=socket.SHUT_RD)
            self._changed.wait_for(lambda: not self._all(), _GRACE)
            for connection in self._all():
                connection.end()

    def _all(self) -> list[Connection]:
        return [*self._strangers, *self._known]

    def _cannot_accept(self, error: OSError) -> None:
        self._complain("a connection that came", error)
        if self._closing:
            return
        with self._changed:  # no descriptors left: make room, and do not spin
            self._drop_oldest()
            self._changed.wait(_ROOM)

    def _welcome(self, sock: socket.socket, peer: str) -> None:
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _notice_vanished_peers(sock)
            connection = Connection(tls.server_side(sock), peer)
        except (OSError, ValueError):
            sock.close()
            return
        with self._changed:
            while len(self._strangers) >= MAX_STRANGERS:
                self._drop_oldest()
                self._changed.wait(_ROOM)
            self._strangers[connection] = None
        try:
            threading.Thread(target=self._attend, args=(connection,), daemon=True).start()
        except RuntimeError as error:
            self._complain(peer, error)
            self._forget(connection)

    def _drop_oldest(self) -> None:
        for connection in self._strangers:
            if not connection.reason:
                connection.end("it said nothing while many others came")
                return

    def _drop_late(self) -> None:
        now = time.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + _TICK
        with self._changed:
            for connection in self._all():
                if connection.deadline < now:
                    what = "a message" if connection.introduced else "its introduction"
                    connection.end(f"{what} took too long")
                elif refusal := tls.refusal(connection.holder):
                    connection.end(refusal)

    def _make_room(self) -> None:
        """Ends a connection of the party that has most, if there are too many."""
        here = [connection for connection in self._known if not connection.reason]
        if len(here) > MAX_KNOWN:
            ((party, _),) = Counter(connection.party for connection in here).most_common(1)
            oldest = next(connection for connection in here if connection.party == party)
            oldest.end("it has too many connections")

    def _attend(self, connection: Connection) -> None:
        """The life of one connection's thread."""
        try:
            self._introduce(connection)
            while not self._closing:
                connection.receive(pyro.MAX_MESSAGE_BYTES)
                self._answer(connection)
        except Exception as error:
            if connection.reason or not isinstance(error, _GONE):
                self._complain(connection.peer, error, connection.reason)
        finally:
            self._forget(connection)

    def _introduce(self, connection: Connection) -> None:
        if isinstance(connection.sock, ssl.SSLSocket):
            connection.sock.do_handshake()
        holder = connection.holder = tls.holder_of(connection.sock)
        connection.receive(STRANGERS_BYTES)
        refusal = tls.refusal(holder)
        if holder is not None and holder.role not in self._admits:
            refusal = f"a {holder.role} is not admitted here"
        if not self._daemon._handshake(connection, denied_reason=refusal or None):
            raise _Refused(refusal or "its introduction was not accepted")
        with self._changed:
            del self._strangers[connection]
            self._known[connection] = None
            self._make_room()
            self._changed.notify_all()
        connection.introduce()

    def _answer(self, connection: Connection) -> None:
        try:
            self._daemon.handleRequest(connection)
        except (OSError, Pyro4.errors.CommunicationError, Pyro4.errors.SecurityError):
            raise
        except Exception as error:  # of a method marked as callback, or what came cannot be read
            if not connection.answered:
                raise
            kind = connection.peer, "call", type(error).__name__
            self._complaints.complain(kind, f"a call from {connection.peer} failed: {error!r}")

    def _forget(self, connection: Connection) -> None:
        with self._changed:
            self._strangers.pop(connection, None)
            self._known.pop(connection, None)
            self._changed.notify_all()
        connection.close()
        if connection.introduced and not self._closing:
            try:
                self._daemon._clientDisconnect(connection)
            except Exception:
                _log.exception("the loss of %s could not be told", connection.peer)

    def _complain(self, peer: str, error: Exception, reason: str = "") -> None:
        if not self._closing:
            kind = peer, reason or type(error).__name__
            self._complaints.complain(kind, f"dropped {peer}: {reason or error}")


def _notice_vanished_peers(sock: socket.socket) -> None:
    """A machine that lost its power says no goodbye: after two minutes of silence it is asked."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_KEEPIDLE"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 15)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4)
