"""The names of a run in a nameserver, which may be silent or somebody else's."""

import socket
import threading

import Pyro4
import Pyro4.naming
import pytest
from helpers.mailbox import RUN, dispatcher, known, look, nothing_more, until

from bohb_seg.errors import ServiceError
from bohb_seg.master.registry import Registry
from bohb_seg.master.transport import Transport
from bohb_seg.rpc import pyro
from bohb_seg.rpc.daemon import Daemon, serve_in_background
from bohb_seg.rpc.names import NAMESERVER


def elsewhere(**changed):
    usual = {"run_id": "b", "host": "127.0.0.1", "port": 0, "external": None}
    return Transport(**usual | changed, working_directory="", heartbeat=1)


def test_a_nameserver_that_is_not_there_is_one_sentence():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        place = probe.getsockname()
        with pytest.raises(ServiceError, match=f"{place[0]}:{place[1]} does not answer .*--names"):
            elsewhere(external=place).bind()
        elsewhere(external=place).bind(resuming=True)  # it was there before, and will be back


def test_a_second_master_of_the_same_run_is_refused(alone):
    until(lambda: dispatcher(alone))
    with pytest.raises(ServiceError, match="a master already serves this run at "):
        elsewhere(run_id="try", external=alone.nameserver).bind()


def test_a_name_that_never_answers_is_removed_with_a_complaint(alone, caplog):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        dead = f"{RUN}worker.dead"
        with pyro.nameserver(*alone.nameserver) as names:
            names.register(dead, f"PYRO:{dead}@127.0.0.1:{probe.getsockname()[1]}")
        look(alone)
        until(lambda: dead not in known(alone))
    nothing_more(alone)
    assert f"worker {dead} does not answer at 127.0.0.1:" in caplog.text


def test_names_and_addresses_that_are_not_sound_are_not_looked_at(alone, monkeypatch):
    """Another nameserver keeps whatever it is told; there are also only so many workers."""
    sound = {f"{RUN}worker.{number}": f"PYRO:x@127.0.0.1:{number + 1}" for number in range(3)}
    odd = {
        f"{RUN}worker.a\x1b[2J": "PYRO:x@127.0.0.1:1",
        f"{RUN}worker.b": "no address",
        f"{RUN}worker.c": "PYRONAME:x",
        f"{RUN}worker.d": "PYRO:x@./u:socket",
        f"{RUN}worker.": "PYRO:x@127.0.0.1:1",
    }
    daemon = Pyro4.Daemon("127.0.0.1")
    names = Pyro4.naming.NameServer()
    uri = daemon.register(names, NAMESERVER)
    threading.Thread(target=daemon.requestLoop, daemon=True).start()
    for name, address in (sound | odd).items():
        names.storage[name] = address, None
    registry = Registry("try", ("127.0.0.1", uri.port))
    assert registry.workers("PYRO:dispatcher@127.0.0.1:1") == sound
    monkeypatch.setattr("bohb_seg.rpc.nameserver.MAX_NAMES", 2)
    assert len(registry.workers("PYRO:dispatcher@127.0.0.1:1")) == 2
    daemon.shutdown()


class Strange:
    """Is found where a nameserver should be, and answers anything."""

    def __init__(self, said):
        self._said = said

    @Pyro4.expose
    def list(self, prefix):
        if isinstance(self._said, Exception):
            raise self._said
        return self._said


@pytest.mark.parametrize(
    "said", [None, 7, ["a"], "text", {"a": 1}, {}, KeyError("x"), StopIteration(), ValueError("\n")]
)
def test_a_nameserver_that_is_none_ends_nothing(said):
    """Neither the start of a run, which says so in a sentence, nor its end."""
    daemon = Daemon("127.0.0.1", admits=())
    daemon.register(Strange(said), NAMESERVER)
    serve_in_background(daemon, "strange")
    host, _, port = daemon.locationStr.rpartition(":")
    registry = Registry("try", (host, int(port)))
    try:
        if isinstance(said, dict):
            registry.refuse_second_master(resuming=False)
        else:
            with pytest.raises(ServiceError, match=r"does not answer .*check --nameserver"):
                registry.refuse_second_master(resuming=False)
        registry.refuse_second_master(resuming=True)
        registry.forget("name", "PYRO:x@127.0.0.1:1")
        registry.wait_for_sign_off(0.01)
        with pytest.raises(pyro.TRANSIENT):
            registry.workers("PYRO:dispatcher@127.0.0.1:1")
    finally:
        daemon.shutdown()
