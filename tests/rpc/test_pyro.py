"""How Pyro4 is set up in every process of ours."""

import resource
import subprocess
import sys

import Pyro4

from bohb_seg.rpc import pyro


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
