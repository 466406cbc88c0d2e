"""A running daemon, and peers that speak Pyro4's protocol byte by byte."""

import contextlib
import socket
import struct
import threading
import time

import Pyro4
import serpent
from Pyro4 import message

from bohb_seg.rpc import names, pyro
from bohb_seg.rpc.daemon import Daemon, serve_in_background
from bohb_seg.rpc.nameserver import NameServer

SERPENT, MARSHAL, PICKLE, CLOUDPICKLE = 1, 3, 4, 7
HEADER = struct.Struct(message.Message.header_format)
SOON = 20.0
"""Seconds until what should happen by itself counts as not happening."""


class Greeter:
    """An object as any: answers, fails, remembers who called."""

    def __init__(self):
        self.callers, self.notes = [], []
        self.begun, self.go_on = threading.Event(), threading.Event()

    @Pyro4.expose
    def echo(self, value):
        self.callers.append(Pyro4.current_context.client)
        return value

    @Pyro4.expose
    def repeat(self, value):
        return value

    @Pyro4.expose
    @Pyro4.oneway
    def note(self, value):
        self.notes.append(value)

    @Pyro4.expose
    @Pyro4.callback
    def fail(self):
        raise KeyError("no such thing")

    @Pyro4.expose
    def wait(self):
        self.begun.set()
        self.go_on.wait(SOON)
        return "done"


class Service:
    """A running daemon with a greeter and a nameserver."""

    def __init__(self, admits=("master", "worker")):
        self.lost = []
        self.greeter = Greeter()
        self.daemon = Daemon("127.0.0.1", admits=admits, lost=self.lost.append)
        self.uri = str(self.daemon.register(self.greeter, "greeter"))
        self.daemon.register(NameServer(), names.NAMESERVER)
        self.thread = serve_in_background(self.daemon, "test")
        host, _, port = self.daemon.locationStr.rpartition(":")
        self.address = (host, int(port))

    def greet(self, of="master"):
        with pyro.proxy(self.uri, of=of) as greeter:
            return greeter.echo("hello")

    def names(self, of="master"):
        return pyro.proxy(f"PYRO:{names.NAMESERVER}@{self.daemon.locationStr}", of=of)

    def connect(self):
        return socket.create_connection(self.address, timeout=SOON)


def until(condition):
    deadline = time.monotonic() + SOON
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def ended(peer):
    """Waits until the other side ends the connection; fails if it does not."""
    peer.settimeout(SOON)
    with contextlib.suppress(ConnectionError):
        while peer.recv(65536):
            pass


def packed(kind, data, flags=0, size=None, tag=b"PYRO", annotations=b"", language=SERPENT):
    size = len(data) if size is None else size
    total = kind + 48 + size + len(annotations) + language + flags + 1 + 0x34E9
    fields = (tag, 48, kind, flags, 1, size, language, len(annotations), 0, total & 0xFFFF)
    return HEADER.pack(*fields) + annotations + data


def hello(flags=0, **further):
    data = serpent.dumps({"handshake": "hello", "object": "greeter", **further})
    return packed(message.MSG_CONNECT, data, flags)


def call(value, method="echo", flags=0):
    data = serpent.dumps(("greeter", method, (value,), {}))
    return packed(message.MSG_INVOKE, data, flags)


def answer(peer):
    """One message of the daemon: its kind, its flags and what it says."""
    header = HEADER.unpack(exactly(peer, HEADER.size))
    exactly(peer, header[7])
    return header[2], header[3], serpent.loads(exactly(peer, header[5]))


def exactly(peer, size):
    data = b""
    while len(data) < size:
        more = peer.recv(size - len(data))
        assert more, "the connection was ended"
        data += more
    return data


def introduced(service):
    peer = service.connect()
    peer.sendall(hello())
    assert answer(peer)[0] == message.MSG_CONNECTOK
    peer.sendall(call("known", "repeat"))  # with its answer the peer is no stranger any more
    assert answer(peer)[2] == "known"
    return peer
