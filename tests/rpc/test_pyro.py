"""How Pyro4 is set up in every process of ours."""

import contextlib
import marshal
import pickle
import resource
import socket
import subprocess
import sys
import threading

import Pyro4
import pytest
import serpent
from helpers.daemons import CLOUDPICKLE, MARSHAL, PICKLE, SERPENT, packed
from helpers.intruder import Opened, question, unfolds
from Pyro4 import message

from bohb_seg import machine
from bohb_seg.rpc import pyro
from bohb_seg.rpc.daemon import Daemon, serve_in_background
from bohb_seg.rpc.names import NAMESERVER
from bohb_seg.rpc.nameserver import NameServer
from bohb_seg.worker.service import address_towards


def test_pyro_speaks_nothing_but_serpent():
    pyro.set_up_pyro()
    assert Pyro4.config.SERIALIZER == "serpent"
    assert set(Pyro4.config.SERIALIZERS_ACCEPTED) == {"serpent"}
    assert 0 < Pyro4.config.MAX_MESSAGE_SIZE <= 2**30


def test_every_call_ends():
    with pyro.nameserver("192.0.2.7", 9090) as names:
        assert names._pyroTimeout == pyro.CALL_TIMEOUT
        assert str(names._pyroUri) == "PYRO:Pyro.NameServer@192.0.2.7:9090"
    with pyro.proxy("PYRO:x@127.0.0.1:1", timeout=0.5) as remote:
        assert remote._pyroTimeout == 0.5


def test_a_proxy_can_be_sent_and_arrives_as_one_of_pyro4s():
    with pyro.proxy("PYRO:x@127.0.0.1:1", timeout=0.5, of="worker") as remote:
        sent = Pyro4.util.SerpentSerializer().dumps(remote)
    arrived = Pyro4.util.SerpentSerializer().loads(sent)
    assert (type(arrived), arrived._pyroUri) == (Pyro4.Proxy, remote._pyroUri)


def test_many_connections_are_allowed():
    code = (
        "import resource as r; from bohb_seg.rpc import pyro;"
        "hard = r.getrlimit(r.RLIMIT_NOFILE)[1];"
        "r.setrlimit(r.RLIMIT_NOFILE, (64, hard)); pyro.set_up_pyro();"
        "print(r.getrlimit(r.RLIMIT_NOFILE)[0])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    assert int(done.stdout) == min(hard, pyro.MAX_OPEN_FILES)


def test_an_ipv6_address_is_served_and_called():
    pyro.set_up_pyro()
    names = NameServer()
    daemon = Daemon("::1", admits=())
    address = str(daemon.register(names, NAMESERVER))
    serve_in_background(daemon, "six")
    host, port = machine.split_location(daemon.locationStr)
    assert (host, address) == ("::1", f"PYRO:{NAMESERVER}@[::1]:{port}")
    with pyro.nameserver(host, port) as remote:
        remote.register("a", "PYRO:x@[fd00::7]:9")
        assert remote.list() == {"a": "PYRO:x@[fd00::7]:9"}
    assert address_towards("::1", port) == "::1"
    daemon.shutdown()


class Bomb:
    """A server whose every answer would harm whoever reads it."""

    def __init__(self, *answers):
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.uri = f"PYRO:x@127.0.0.1:{self._socket.getsockname()[1]}"
        self._answers = answers
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                peer, _ = self._socket.accept()
                with peer:
                    for kind, data, flags, *language in self._answers:
                        question(peer)
                        peer.sendall(packed(kind, data, flags, language=(*language, SERPENT)[0]))
                    peer.recv(1)

    def close(self):
        self._socket.close()


HELLO = (message.MSG_CONNECTOK, serpent.dumps("hello"), 0)
UNFOLDS = unfolds(megabytes=10)
EXIT = {"__class__": "builtins.SystemExit", "__exception__": True, "args": ("x",), "attributes": {}}


@pytest.mark.parametrize(
    "answers",
    [
        [(message.MSG_CONNECTOK, UNFOLDS, message.FLAGS_COMPRESSED)],
        [(message.MSG_CONNECTFAIL, UNFOLDS, message.FLAGS_COMPRESSED)],
        [HELLO, (message.MSG_RESULT, UNFOLDS, message.FLAGS_COMPRESSED)],
        [HELLO, (message.MSG_RESULT, b"[" + b"1," * 3_000_000 + b"]", 0)],
        [HELLO, (message.MSG_RESULT, serpent.dumps(EXIT), message.FLAGS_EXCEPTION)],
        [(message.MSG_CONNECTOK, serpent.dumps(5), message.FLAGS_META_ON_CONNECT)],
        [(message.MSG_CONNECTOK, serpent.dumps({"meta": 5}), message.FLAGS_META_ON_CONNECT)],
    ],
    ids=[
        *("introduction", "refusal", "compressed answer", "too many values", "SystemExit"),
        *("no introduction", "no description"),
    ],
)
def test_an_answer_harms_nobody(answers):
    pyro.set_up_pyro()
    bomb, refused = Bomb(*answers), "refused|too many|SystemExit|no introduction"
    with pyro.proxy(bomb.uri) as remote, pytest.raises(Pyro4.errors.PyroError, match=refused):
        remote._pyroInvoke("greet", (), {})
    bomb.close()


@pytest.mark.parametrize("kind", [message.MSG_CONNECTOK, message.MSG_CONNECTFAIL])
@pytest.mark.parametrize("language", [PICKLE, CLOUDPICKLE])
def test_an_introduction_in_pickle_is_not_read(tmp_path, kind, language):
    """Pyro4 would: the peer chooses the language of its first answer."""
    pyro.set_up_pyro()
    data = pickle.dumps(Opened(tmp_path / "opened"))
    bomb = Bomb((kind, data, 0, language))
    with pyro.proxy(bomb.uri) as remote, pytest.raises(Pyro4.errors.PyroError, match="serializer"):
        remote._pyroInvoke("greet", (), {})
    bomb.close()
    assert not (tmp_path / "opened").exists()


def test_nobody_is_told_to_answer_in_pickle():
    """A proxy that comes over the wire names the language in which it is called."""
    pyro.set_up_pyro()
    for language in ("pickle", "cloudpickle", "dill", "json", "msgpack"):
        with pytest.raises(Pyro4.errors.SerializeError, match="unknown or not available"):
            Pyro4.util.get_serializer(language)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (marshal.dumps("was revoked"), "rejected: was revoked"),
        (marshal.dumps("was revoked: ä" + 300 * "x"), "rejected: was revoked: ä"),
        (marshal.dumps("\x1b[2J\n"), r"rejected:  \[2J"),
        (marshal.dumps([1, 2]), "a refusal that is no text"),
        (b"", "rejected"),
        (b"(\xff\xff\xff\x7f", "a refusal that is no text"),
        (b"z", "rejected"),
    ],
)
def test_a_refusal_is_read_as_a_text_and_nothing_else(data, said):
    pyro.set_up_pyro()
    bomb = Bomb((message.MSG_CONNECTFAIL, data, 0, MARSHAL))
    with pyro.proxy(bomb.uri) as remote, pytest.raises(Pyro4.errors.PyroError, match=said):
        remote._pyroInvoke("greet", (), {})
    bomb.close()
