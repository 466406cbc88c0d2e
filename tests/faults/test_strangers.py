"""An impostor, and floods, at real runs; all other attacks are in test_intrusion.py."""

import contextlib
import random
import socket
import ssl
import threading
from collections import Counter

import Pyro4
import pytest
import serpent
from helpers.cluster import PATIENCE
from Pyro4 import message

from bohb_seg.rpc import certificates, pyro
from bohb_seg.rpc.daemon import Daemon, serve_in_background
from bohb_seg.rpc.nameserver import NameServer

pytestmark = pytest.mark.faults

SILENT = HALF_OPEN = 500
HALF_HELLO = bytes.fromhex("1603010200010001fc0303") + bytes(60)
"""The beginning of TLS's first message, which is 512 bytes long."""
PYRO = message.Message(
    message.MSG_CONNECT, serpent.dumps({"handshake": "hello", "object": "x"}), 1, 0, 1
).to_bytes()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("certificates") / "ours"
    certificates.make(made)
    return made


@pytest.fixture(autouse=True)
def this_process_is_nobody():
    pyro.set_up_pyro()
    yield
    pyro.set_up_pyro()


class Impostor:
    """Answers as a master would, and remembers what it was told."""

    def __init__(self):
        self.told = []

    @Pyro4.expose
    def terms(self):
        self.told.append("terms")
        return {"settings": {}, "heartbeat": 1.0, "token": "x"}

    @Pyro4.expose
    def hello(self, name, facts):
        self.told.append("hello")
        return ""

    @Pyro4.expose
    def trigger_discover_worker(self):
        self.told.append("trigger")


def test_a_worker_cannot_pose_as_the_master(cluster, folder):
    pyro.set_up_pyro(folder, "worker")
    asked, impostor, names = [], Impostor(), NameServer()
    daemon = Daemon("127.0.0.1", cluster.port, admits=("worker",), lost=asked.append)
    names.register("hpbandster.run_run.dispatcher", daemon.register(impostor, "dispatcher"))
    daemon.register(names, "Pyro.NameServer")
    serve_in_background(daemon, "impostor")
    worker = cluster.worker("--tls", folder)
    try:
        cluster.until(lambda: len(asked) >= 3, "the worker has asked the impostor thrice")
        assert worker.alive, worker.log
        assert impostor.told == []
        assert not any("worker" in name for name in names.list())
    finally:
        daemon.shutdown()


class Flood:
    """Keeps up hundreds of mute connections, and throws everything at a port that comes to mind."""

    def __init__(self, *ports):
        self.ports, self.counts, self.stop = ports, Counter(), threading.Event()
        tasks = [self._mute, self._drip, self._shout, self._shout_politely]
        self.threads = [threading.Thread(target=task, daemon=True) for task in tasks]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join(PATIENCE)

    def _connect(self):
        port = random.choice(self.ports)
        with contextlib.suppress(OSError):
            return socket.create_connection(("127.0.0.1", port), timeout=5)
        self.stop.wait(0.1)
        return None

    def _mute(self):
        """Silent ones, halves of a TLS hello, halves of a Pyro4 header; again when ended."""
        first = [b""] * SILENT + [HALF_HELLO, PYRO[:12]] * (HALF_OPEN // 2)
        slots = [None] * len(first)
        while not self.stop.is_set():
            for slot, words in enumerate(first):
                if slots[slot] is None or _ended(slots[slot]):
                    slots[slot] = peer = self._connect()
                    if peer is not None:
                        with contextlib.suppress(OSError):
                            peer.sendall(words)
                            self.counts["mute"] += 1
            self.counts["rounds"] += 1
            self.stop.wait(0.2)

    def _drip(self):
        while not self.stop.is_set():
            for words in (HALF_HELLO, PYRO):
                peer = self._connect()
                with contextlib.suppress(OSError), contextlib.closing(peer or socket.socket()):
                    for byte in words:
                        peer and peer.sendall(bytes([byte]))
                        self.counts["dripped"] += 1
                        self.stop.wait(0.05)

    def _shout(self):
        noise = random.Random(0)
        while not self.stop.is_set():
            for words in (
                b"GET / HTTP/1.1\r\n\r\n",
                noise.randbytes(5000),
                _announced(100_000_000),
            ):
                self._say(self._connect(), words, huge=words[:4] == b"PYRO")

    def _shout_politely(self):
        """As a stranger that has introduced itself, or has tried to without a certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        while not self.stop.is_set():
            self._say(
                self._connect(), PYRO + _announced(100_000_000, message.MSG_INVOKE), huge=True
            )
            peer = self._connect()
            with contextlib.suppress(OSError):
                self._say(peer and context.wrap_socket(peer), PYRO)

    def _say(self, peer, words, huge=False):
        if peer is None:
            return
        with contextlib.suppress(OSError), peer:
            peer.sendall(words)
            for _ in range(100 * huge):
                peer.sendall(bytes(1_000_000))
            while peer.recv(65536):
                pass
        self.counts["huge" if huge else "shouted"] += 1


def _announced(size, kind=message.MSG_CONNECT):
    """The header of a message of this size."""
    header = message.Message(kind, b"", 1, 0, 1)
    header.data_size = size
    return header.to_bytes()


def _ended(peer):
    try:
        return peer.recv(65536, socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


@pytest.mark.parametrize("encrypted", [True, False], ids=["TLS", "plain on loopback"])
def test_a_flood_stops_nobody(cluster, folder, encrypted):
    """The worker even joins in the middle of it; the run ends by itself while it lasts."""
    flags = ("--tls", folder) if encrypted else ()
    cluster.sleep = 0.02
    master = cluster.master(*flags, "--n-iterations", 1)
    cluster.until(lambda: _listens(cluster.port), "the master serves")
    with Flood(cluster.port) as on_master:
        cluster.until(lambda: on_master.counts["rounds"], "all mute connections are there")
        worker = cluster.worker(*flags)
        cluster.order_of(worker)
        if encrypted:
            pyro.set_up_pyro(folder, "worker")
        with pyro.nameserver("127.0.0.1", cluster.port) as names:
            address = names.list()[cluster.name(worker)]
        with Flood(int(address.rpartition(":")[2])) as on_worker:
            log = master.finish(4 * PATIENCE)
            worker.finish()
    assert on_master.counts["mute"] >= SILENT + HALF_OPEN
    assert on_worker.counts["mute"] > 0
    for kind in ("shouted", "huge", "dripped"):
        assert on_master.counts[kind] > 0, kind
    assert "Traceback" not in log + worker.log
    assert len(log.splitlines()) < 200, "a flood filled the log"


def _listens(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False
