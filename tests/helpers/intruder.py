"""A real run with TLS, and somebody who tries whatever would succeed in stock HpBandSter."""

import contextlib
import socket
import threading
import zlib
from pathlib import Path

import Pyro4
import serpent
from helpers.cluster import PATIENCE
from helpers.daemons import HEADER, SERPENT, exactly, packed
from helpers.identities import context
from Pyro4 import message

from bohb_seg.rpc import names, pyro
from bohb_seg.rpc.daemon import Daemon, serve_in_background
from bohb_seg.search.events import Evaluated
from bohb_seg.trials import Attempt, checkpoint_folder

TOKEN = "0" * 32
GOOD = {"result": {"loss": -1e9, "info": {}}, "exception": None}
"""A result that would win."""


class Target:
    """A run with one worker at work, and the addresses that only its members know.

    Args:
        cluster: Its processes.
        folder: Certificates of all, with those of single workers below.
        master: Its master.
        member: Its worker, which shows the certificate ``honest``.
    """

    def __init__(self, cluster, folder, master, member):
        self.cluster, self.folder = cluster, folder
        self.master, self.member = master, member
        self.name, self.prefix = cluster.name(member), names.prefix(cluster.run_id)
        self.nameserver = self.at("Pyro.NameServer")
        self.dispatcher = self.at(f"{self.prefix}dispatcher")
        self.storage = self.at(f"{self.prefix}storage")
        self.uri = self.names()[self.name]

    def at(self, name):
        """Address of an object of the master."""
        return f"PYRO:{name}@127.0.0.1:{self.cluster.port}"

    def names(self):
        """The nameserver's names, as the honest worker sees them."""
        hello = {"handshake": "hello", "object": "Pyro.NameServer"}
        with introduced(self, "honest", hello) as peer:
            peer.sendall(call(self.nameserver, "list"))
            return serpent.loads(answer(peer)[2])

    def until_forgotten(self, name):
        self.cluster.until(lambda: name not in self.names(), f"{name} is forgotten")

    @property
    def order(self):
        """What the worker does now."""
        return self.cluster.order_of(self.member, begun=False)

    @property
    def reply(self):
        """Address to which the worker sends its next result."""
        order = self.order
        attempt = Attempt(order.evaluation, order.attempt)
        return self.at(names.reply_name(self.cluster.run_id, attempt))

    @property
    def checkpoints(self):
        """Folder of the worker's checkpoints."""
        return checkpoint_folder(self.order.evaluation.trial)

    def worker(self, holder, number=1):
        """Name that a worker of this certificate has."""
        return f"{self.prefix}worker.~{holder}.host.{number}.x"

    def status(self, field):
        """A number of the kernel's account of the master."""
        lines = Path(f"/proc/{self.master.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:"))


def calls(target):
    """Calls by what they would bring about."""
    ns, dispatcher, storage = target.nameserver, target.dispatcher, target.storage
    place, name, reply = ("checkpoints/0-0-0", "epoch-00003.npz"), target.name, target.reply
    mine = "PYRO:mine@127.0.0.1:1"
    return {
        "list names": (ns, "list"),
        "register a worker": (ns, "register", f"{target.prefix}worker.x", mine),
        "take the dispatcher's name": (ns, "register", f"{target.prefix}dispatcher", mine),
        "remove the dispatcher's name": (ns, "remove", f"{target.prefix}dispatcher"),
        "stop the worker": (target.uri, "shutdown"),
        "order something": (target.uri, "start_computation", Pyro4.Proxy(reply), (9, 9, 9)),
        "ask what it does": (target.uri, "doing"),
        "send its result": (reply, "register_result", (0, 0, 0), GOOD),
        "send a result to nobody": (dispatcher, "register_result", (0, 0, 0), GOOD),
        "see the settings": (dispatcher, "terms"),
        "say goodbye for it": (dispatcher, "goodbye", name),
        "renew for it": (dispatcher, "renew", name, ""),
        "see checkpoints": (storage, "stored", place[0]),
        "fetch one": (storage, "fetch", *place, 0),
        "store one": (storage, "store", *place, 0, b"x", TOKEN),
        "look into the daemon": (target.at("Pyro.Daemon"), "registered"),
    }


def invoke(uri, method, *arguments):
    """A call by a proxy of Pyro4's own, which trusts everybody."""
    with Pyro4.Proxy(uri) as remote:
        remote._pyroTimeout = PATIENCE
        return remote._pyroInvoke(method, arguments, {})


# --- byte by byte -------------------------------------------------------------------------------


def introduced(target, holder="evil", hello=None):
    """A connection to the master with a worker's certificate."""
    peer = socket.create_connection(("127.0.0.1", target.cluster.port), timeout=PATIENCE)
    peer = context(target.folder / holder, "worker").wrap_socket(peer)
    data = serpent.dumps(hello or {"handshake": "hello"})
    peer.sendall(packed(message.MSG_CONNECT, data))
    assert answer(peer)[0] == message.MSG_CONNECTOK
    return peer


def call(uri, method, *arguments, flags=0):
    """The bytes of a call."""
    data = serpent.dumps((Pyro4.URI(uri).object, method, arguments, {}))
    return packed(message.MSG_INVOKE, data, flags)


def question(peer):
    """Reads one message, whatever it is."""
    header = HEADER.unpack(exactly(peer, HEADER.size))
    exactly(peer, header[5] + header[7])


def answer(peer):
    """The kind, the flags and the bytes of one answer."""
    header = HEADER.unpack(exactly(peer, HEADER.size))
    exactly(peer, header[7])
    return header[2], header[3], exactly(peer, header[5])


def unfolds(megabytes):
    """A text of zeros, compressed a thousandfold."""
    packer, piece = zlib.compressobj(1), bytes(2**20)
    pieces = [packer.compress(b"'"), *(packer.compress(piece) for _ in range(megabytes))]
    return b"".join([*pieces, packer.compress(b"'"), packer.flush()])


# --- workers ------------------------------------------------------------------------------------


class Opened:
    """A value whose pickle makes a file when it is read: it could do anything else."""

    def __init__(self, file):
        self._file = file

    def __reduce__(self):
        return open, (str(self._file), "w")


class Liar:
    """A worker's server that answers each question of the master with bytes of our choice."""

    def __init__(self, folder, *answers):
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.uri = f"PYRO:x@127.0.0.1:{self._socket.getsockname()[1]}"
        self._tls = context(folder, "worker", server=True)
        self._answers, self.asked = answers, threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                peer, _ = self._socket.accept()
                with contextlib.suppress(OSError, AssertionError):
                    self._answer(self._tls.wrap_socket(peer, server_side=True))

    def _answer(self, peer):
        with peer:
            for kind, data, flags, *language in self._answers:
                question(peer)
                self.asked.set()
                peer.sendall(packed(kind, data, flags, language=(*language, SERPENT)[0]))
            peer.recv(1)


class Member:
    """A worker of the run, moved by the test, that was given something to do."""

    def __init__(self, target, holder, number):
        self._target, self.name = target, target.worker(holder, number)
        pyro.set_up_pyro(target.folder / holder, "worker")
        self._given, self._reply, self.folder = threading.Event(), "", ""
        self._daemon = Daemon("127.0.0.1", admits=("master",))
        uri = str(self._daemon.register(self, self.name))
        serve_in_background(self._daemon, "member")
        target.cluster.until(lambda: self._is_named(uri), f"{self.name} may come again")
        invoke(target.dispatcher, "trigger_discover_worker")
        assert self._given.wait(PATIENCE), "the master gives nothing"

    def _is_named(self, uri):
        with contextlib.suppress(Pyro4.errors.NamingError):
            invoke(self._target.nameserver, "register", self.name, uri)
            return True

    @Pyro4.expose
    def doing(self):
        return self._reply

    @Pyro4.expose
    def start_computation(self, callback, id, **job):
        self._reply = str(callback._pyroUri.object)
        self.folder = checkpoint_folder(tuple(id))
        self._given.set()
        return True

    @Pyro4.expose
    @Pyro4.oneway
    def shutdown(self):
        pass

    def answer(self, result):
        """Answers its order; returns once the answer is in the journal."""
        invoke(self._target.at(self._reply), "register_result", (0, 0, 0), result)
        self._target.cluster.until(
            lambda: any(n.worker == self.name for n in self._target.cluster.events(Evaluated)),
            "the result is recorded",
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(Pyro4.errors.PyroError):
            invoke(self._target.dispatcher, "goodbye", self.name)
        self._daemon.shutdown()
