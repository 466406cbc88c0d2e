"""One peer of a daemon: what it sends is collected into whole messages before Pyro4 reads any.

A *stranger* is a connection that has not introduced itself by both handshakes, of TLS and of Pyro4.
It has ten seconds for all of it and may send little. Whoever is introduced may be idle for ever,
but must finish a message that it has begun to send or to take. So the size of every message is
checked before it is read, and its form before it is parsed (:mod:`bohb_seg.rpc.serializer`).
"""

import contextlib
import math
import select
import socket
import ssl
import struct
import time
from typing import Final, final

import Pyro4
from Pyro4 import constants, message, socketutil

from bohb_seg.rpc.holders import Holder

INTRODUCTION: Final = 10.0
"""Seconds for both handshakes together; a worker behind a slow link needs one."""
MESSAGE_TIME: Final = 60.0
"""Seconds for a message that has begun: enough for the largest one at 300 kB/s."""
STRANGERS_BYTES: Final = 4096
"""Size of a stranger's message. It holds a name; parsed, it may take 500 times its size."""

_HEADER = struct.Struct(message.Message.header_format)
_REFUSED = message.FLAGS_COMPRESSED | message.FLAGS_KEEPSERIALIZED | message.FLAGS_BATCH
"""Compressed data can unfold a thousandfold, data kept serialised is read by marshal, and a batch
holds calls without number, which would go on long after the peer has left."""


@final
class Connection(socketutil.SocketConnection):  # type: ignore[misc]
    """One peer: collects whole messages, which Pyro4 then reads by :meth:`recv`.

    Only the connection's own thread may call anything but :meth:`end`.

    Args:
        sock: The accepted socket; with TLS, before its handshake.
        peer: The peer's address, for the log.
    """

    def __init__(self, sock: socket.socket, peer: str) -> None:
        super().__init__(sock)
        self.peer = peer
        self.holder: Holder | None = None
        """Holder of the certificate that the peer has shown; None if TLS is off."""
        self.introduced = False
        self.deadline = time.monotonic() + INTRODUCTION
        """Monotonic seconds until which the peer must have finished what it has begun."""
        self.reason = ""
        """Reason why we end the connection; "" as long as we do not."""
        self.answered = False
        """Whether anything was sent since the latest message came."""
        self._ahead = self._message = b""
        self._at = 0
        self._readable = select.poll()
        self._readable.register(sock, select.POLLIN)

    @property
    def party(self) -> str:
        """Owner of the connection, as far as that can be told: a single worker, or a machine."""
        holder = self.holder
        return f"~{holder.name}" if holder is not None and holder.is_personal else self.peer

    def receive(self, limit: int) -> None:
        """Waits for a message to begin, however long, and collects it.

        Args:
            limit: Bytes that it may have at most.

        Raises:
            Pyro4.errors.CommunicationError: the peer left, or sent what is no message, is too large
                or of a refused kind.
        """
        data = self._ahead or self._begin()
        if len(data) < _HEADER.size:
            data = self._collect(data, _HEADER.size)
        size = _size(data, limit)
        if len(data) < size:
            data = self._collect(data, size)
        self._relax()
        self._message, self._ahead, self._at = data[:size], data[size:], 0
        self.answered = False

    def recv(self, size: int) -> bytes:
        """The next ``size`` bytes of the message."""
        piece = self._message[self._at : self._at + size]
        self._at += size
        if len(piece) != size:
            raise Pyro4.errors.ProtocolError("a message that is shorter than it says")
        return piece

    def send(self, data: bytes) -> None:
        """Sends an answer."""
        self.answered = True
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

    def _begin(self) -> bytes:
        if isinstance(self.sock, ssl.SSLSocket):  # its recv waits for more than the first byte
            if not self.sock.pending():
                self._readable.poll()
            self._hurry()
        return self._read()

    def _collect(self, begun: bytes, size: int) -> bytes:
        self._hurry()
        whole = bytearray(begun)
        while len(whole) < size:
            whole += self._read(min(size - len(whole), 262_144))
        return bytes(whole)

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
    """Bytes of the message that begins with ``data``, which holds its whole header."""
    tag, version, _, flags, _, size, _, annotations, _, _ = _HEADER.unpack_from(data)
    if tag != b"PYRO" or version != constants.PROTOCOL_VERSION:
        raise Pyro4.errors.ProtocolError("not a message of Pyro4")
    if flags & _REFUSED:
        raise Pyro4.errors.ProtocolError("a message of a refused kind")
    if size < 0 or size + annotations > limit:
        raise Pyro4.errors.MessageTooLargeError(f"a message of more than {limit} bytes")
    return _HEADER.size + int(annotations) + int(size)
