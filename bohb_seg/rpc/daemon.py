"""A Pyro4 daemon that no peer can stall.

Pyro4's own servers wait for a new peer in the loop that serves all others, or give every peer one
of forty threads: one silent connection, or forty-five, stop them. Here:

* The accepting loop waits for nobody. Every connection has a thread of its own, in which also the
  handshakes of TLS and Pyro4 happen.
* A *stranger* is a connection that has not introduced itself by both handshakes. It has ten seconds
  for all of it, may send little, and when there are too many the oldest goes, so that a flood never
  locks out a worker.
* Whoever is introduced may be idle for ever, but what he begins to send or to take he must finish.
* Pyro4 never reads from a socket: it gets whole messages, whose size and form were checked.
* A connection's descriptor is closed by its own thread alone; others only shut it down, which ends
  every wait. Otherwise they might hit the next connection, which gets the same number.

Threads keep their usual stack: the parser under serpent needs one megabyte to refuse nested input.
"""

import contextlib
import logging
import math
import re
import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Collection
from typing import Any, Final, final

import Pyro4
import Pyro4.naming
from Pyro4 import constants, message, socketutil

from bohb_seg.rpc import pyro, tls
from bohb_seg.rpc.tls import Role

INTRODUCTION: Final = 10.0
"""Seconds for both handshakes together; a worker behind a slow link needs one."""
MESSAGE_TIME: Final = 60.0
"""Seconds for a message that has begun: enough for the largest one at 300 kB/s."""
MAX_STRANGERS: Final = 600
"""Connections that have not introduced themselves; above 256 workers that come at once."""
STRANGERS_BYTES: Final = 4096
"""Size of a stranger's message. It holds a name; parsed, it may take 500 times its size."""
STRUCTURE_BYTES: Final = 2 * 1024 * 1024
"""Size of a message without its texts, for the same reason: a million numbers, 1 GB parsed."""

_TICK = 0.5
"""Seconds between two looks for connections that are too slow."""
_GRACE = 0.3
"""Seconds that calls in progress get when the daemon ends."""
_REPEAT_AFTER = 60.0
"""Seconds until the same complaint about the same address is a warning again."""
_HEADER = struct.Struct(message.Message.header_format)
_REFUSED = message.FLAGS_COMPRESSED | message.FLAGS_KEEPSERIALIZED
"""Compressed data can unfold a thousandfold, data kept serialised is read by marshal."""
_TEXTS = re.compile(rb"'(?:[^'\\]++|\\.)*+'?|\"(?:[^\"\\]++|\\.)*+\"?", re.DOTALL)
"""Texts as serpent writes them. Never backtracks, and takes an open text to the end: linear."""
_GONE = (Pyro4.errors.ConnectionClosedError, ConnectionError, ssl.SSLEOFError)
_Refused = Pyro4.errors.SecurityError

_log = logging.getLogger(__name__)


def _ignore(connection: "Connection") -> None:
    """Does nothing."""


@final
class Daemon(Pyro4.Daemon):  # type: ignore[misc]
    """Serves remote objects as Pyro4's own daemon does.

    Args:
        host: Address to serve on.
        port: Port to serve on; 0 takes any free one.
        admits: Roles whose certificates are accepted; without TLS everybody is.
        lost: Told of every introduced connection that has ended, unless the daemon itself ends.
            During a call its connection is ``Pyro4.current_context.client``.

    Raises:
        OSError: the address cannot be had.
    """

    def __init__(
        self,
        host: str,
        port: int = 0,
        *,
        admits: Collection[Role],
        lost: Callable[["Connection"], None] = _ignore,
    ) -> None:
        self._server = _Server(frozenset(admits))
        self._lost = lost
        super().__init__(host, port)

    @property
    def transportServer(self) -> "_Server":  # noqa: N802 - Pyro4's name
        """What carries the messages. Pyro4 assigns one of its own, which is not used."""
        return self._server

    @transportServer.setter
    def transportServer(self, unused: object) -> None:  # noqa: N802
        pass

    def requestLoop(self, loopCondition: object = None) -> None:  # noqa: N802, N803
        """Serves until :meth:`shutdown`, which may also come first."""
        self._server.loop()

    def shutdown(self) -> None:
        """Ends the service and all connections; calls in progress get a moment to be answered."""
        self._server.close()

    def close(self) -> None:
        """The same as :meth:`shutdown`."""
        self._server.close()

    def clientDisconnect(self, conn: "Connection") -> None:  # noqa: N802 - Pyro4's hook
        """Tells the owner."""
        self._lost(conn)


def serve_in_background(daemon: Daemon, name: str) -> threading.Thread:
    """Runs a daemon's loop in a thread of its own, which ends with :meth:`Daemon.shutdown`."""
    thread = threading.Thread(target=daemon.requestLoop, name=name, daemon=True)
    thread.start()
    return thread


@final
class Connection(socketutil.SocketConnection):  # type: ignore[misc]
    """One peer: collects whole messages, which Pyro4 then reads by :meth:`recv`."""

    def __init__(self, sock: socket.socket, peer: str) -> None:
        super().__init__(sock)
        self.peer = peer
        self.role: Role | None = None
        self.introduced = False
        self.deadline = time.monotonic() + INTRODUCTION
        self.reason = ""
        self._ahead = self._message = b""
        self._at = 0
        self._readable = select.poll()
        self._readable.register(sock, select.POLLIN)

    def receive(self, limit: int) -> None:
        """Waits for a message to begin, however long, and collects it.

        Raises:
            Pyro4.errors.CommunicationError: the peer left, or sent what is no message, is larger
                than ``limit`` bytes or of a refused kind.
        """
        data = self._ahead or self._begin()
        if len(data) < _HEADER.size:
            data = self._collect(data, _HEADER.size)
        size = _size(data, limit)
        if len(data) < size:
            data = self._collect(data, size)
        self._relax()
        self._message, self._ahead, self._at = data[:size], data[size:], 0
        if size > STRUCTURE_BYTES and len(_TEXTS.sub(b"''", self._message)) > STRUCTURE_BYTES:
            raise Pyro4.errors.MessageTooLargeError("a message of too many values")

    def recv(self, size: int) -> bytes:
        """The next ``size`` bytes of the message."""
        piece = self._message[self._at : self._at + size]
        self._at += size
        if len(piece) != size:
            raise Pyro4.errors.ProtocolError("a message that is shorter than it says")
        return piece

    def send(self, data: bytes) -> None:
        """Sends an answer."""
        self._hurry()
        try:
            self.sock.sendall(data)
        except OSError as error:
            raise Pyro4.errors.ConnectionClosedError(str(error)) from None
        self._relax()

    def introduce(self) -> None:
        """From now on the peer may take its time between messages."""
        self.introduced = True
        self._relax()

    def end(self, reason: str = "", how: int = socket.SHUT_RDWR) -> None:
        """Wakes the connection's thread, which then closes it; for other threads to call."""
        self.reason = self.reason or reason
        with contextlib.suppress(OSError):
            # Not sock.shutdown: on a TLS socket it first makes further sending unencrypted.
            socket.socket.shutdown(self.sock, how)

    def _collect(self, begun: bytes, size: int) -> bytes:
        self._hurry()
        whole = bytearray(begun)
        while len(whole) < size:
            whole += self._read(min(size - len(whole), 262_144))
        return bytes(whole)

    def _begin(self) -> bytes:
        if isinstance(self.sock, ssl.SSLSocket):  # its recv waits for more than the first byte
            if not self.sock.pending():
                self._readable.poll()
            self._hurry()
        return self._read()

    def _read(self, size: int = 16_384) -> bytes:
        data: bytes = self.sock.recv(size)
        if not data:
            raise Pyro4.errors.ConnectionClosedError("the peer left")
        return data

    def _hurry(self) -> None:
        if self.introduced:
            self.deadline = time.monotonic() + MESSAGE_TIME

    def _relax(self) -> None:
        if self.introduced:
            self.deadline = math.inf


def _size(data: bytes, limit: int) -> int:
    tag, version, _, flags, _, size, _, annotations, _, _ = _HEADER.unpack_from(data)
    if tag != b"PYRO" or version != constants.PROTOCOL_VERSION:
        raise Pyro4.errors.ProtocolError("not a message of Pyro4")
    if flags & _REFUSED:
        raise Pyro4.errors.ProtocolError("a message of a refused kind")
    if size < 0 or size + annotations > limit:
        raise Pyro4.errors.MessageTooLargeError(f"a message of more than {limit} bytes")
    return _HEADER.size + int(annotations) + int(size)


@final
class _Server:
    """What Pyro4 calls a transport server: accepts connections and looks after them."""

    def __init__(self, admits: Collection[Role]) -> None:
        self.sock: Any = None
        self.locationStr = ""
        self._admits = admits
        self._strangers: dict[Connection, None] = {}  # oldest first
        self._known: set[Connection] = set()
        self._changed = threading.Condition()
        self._closing = False
        self._stopped = threading.Event()
        self._stopped.set()
        self._next_look = 0.0
        self._said: dict[tuple[str, str], float] = {}

    def init(self, daemon: Daemon, host: str, port: int, unixsocket: object = None) -> None:
        """Takes the port; called by Pyro4."""
        self._daemon = daemon
        self.sock = socketutil.createSocket(
            bind=(host, port), reuseaddr=True, timeout=_TICK, noinherit=True, nodelay=True
        )
        self.sock.listen(1024)
        host, port = host or self.sock.getsockname()[0], self.sock.getsockname()[1]
        self.locationStr = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

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

    def _all(self) -> list["Connection"]:
        return [*self._strangers, *self._known]

    def _cannot_accept(self, error: OSError) -> None:
        if self._closing:
            return
        self._complain("a connection that came", error)
        with self._changed:  # no descriptors left: make room, and do not spin
            self._drop_oldest()
            self._changed.wait(0.1)

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
                self._changed.wait(0.1)
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
        role = connection.role = tls.role_of(connection.sock)
        connection.receive(STRANGERS_BYTES)
        refusal = "" if role is None or role in self._admits else f"a {role} is not admitted here"
        if not self._daemon._handshake(connection, denied_reason=refusal or None):
            raise _Refused(refusal or "its introduction was not accepted")
        with self._changed:
            del self._strangers[connection]
            self._known.add(connection)
            self._changed.notify_all()
        connection.introduce()

    def _answer(self, connection: Connection) -> None:
        try:
            self._daemon.handleRequest(connection)
        except (OSError, Pyro4.errors.CommunicationError, Pyro4.errors.SecurityError):
            raise
        except Exception as error:  # of a method marked as callback; the peer has been told
            _log.warning("a call from %s failed: %r", connection.peer, error)

    def _forget(self, connection: Connection) -> None:
        with self._changed:
            self._strangers.pop(connection, None)
            self._known.discard(connection)
            self._changed.notify_all()
        connection.close()
        if connection.introduced and not self._closing:
            try:
                self._daemon._clientDisconnect(connection)
            except Exception:
                _log.exception("the loss of %s could not be told", connection.peer)

    def _complain(self, peer: str, error: Exception, reason: str = "") -> None:
        """Warns once a minute of the same kind, so that a flood does not fill the log."""
        if self._closing:
            return
        now, key = time.monotonic(), (peer, reason or type(error).__name__)
        fresh = now - self._said.get(key, -math.inf) > _REPEAT_AFTER
        if len(self._said) > 1000:
            self._said.clear()
        if fresh:
            self._said[key] = now
        level = logging.WARNING if fresh else logging.DEBUG
        _log.log(level, "dropped %s: %s", peer, reason or error)


def _notice_vanished_peers(sock: socket.socket) -> None:
    """A machine that lost its power says no goodbye: after two minutes of silence it is asked."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_KEEPIDLE"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 15)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4)
