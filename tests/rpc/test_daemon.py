"""A daemon that no peer can stall, and its nameserver; all over real sockets."""

import contextlib
import logging
import random
import socket
import struct
import threading
import time

import Pyro4
import pytest
import serpent
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from Pyro4 import message

from bohb_seg.rpc import certificates, daemon, nameserver, pyro
from bohb_seg.rpc.daemon import Daemon, serve_in_background
from bohb_seg.rpc.nameserver import NameServer

SERPENT = 1
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
        self.daemon.register(NameServer(), "Pyro.NameServer")
        self.thread = serve_in_background(self.daemon, "test")
        host, _, port = self.daemon.locationStr.rpartition(":")
        self.address = (host, int(port))

    def greet(self, of="master"):
        with pyro.proxy(self.uri, of=of) as greeter:
            return greeter.echo("hello")

    def names(self, of="master"):
        return pyro.proxy(f"PYRO:Pyro.NameServer@{self.daemon.locationStr}", of=of)

    def connect(self):
        return socket.create_connection(self.address, timeout=SOON)


@pytest.fixture
def plain():
    pyro.set_up_pyro()


@pytest.fixture
def service(plain):
    running = Service()
    yield running
    running.daemon.shutdown()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("certificates") / "ours"
    certificates.make(made)
    return made


@pytest.fixture
def as_worker(folder):
    """This process shows a worker's certificate, and so do the daemons it runs."""
    pyro.set_up_pyro(folder, "worker")
    running = Service(admits=("worker",))
    yield running
    running.daemon.shutdown()
    pyro.set_up_pyro()


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


def packed(kind, data, flags=0, size=None, tag=b"PYRO", annotations=b""):
    size = len(data) if size is None else size
    total = kind + 48 + size + len(annotations) + SERPENT + flags + 1 + 0x34E9
    fields = (tag, 48, kind, flags, 1, size, SERPENT, len(annotations), 0, total & 0xFFFF)
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


# --- it is a Pyro4 daemon like others ----------------------------------------------------------


def test_calls_of_every_kind(service):
    with pyro.proxy(service.uri) as greeter:
        assert greeter.echo({"a": [1.5, None]}) == {"a": [1.5, None]}
        greeter.note("one way")
        until(lambda: service.greeter.notes == ["one way"])
        with pytest.raises(KeyError, match="no such thing"):
            greeter.fail()
        assert greeter.echo("after") == "after"
    assert len(set(service.greeter.callers)) == 1, "a failing callback ended the connection"


def test_an_unknown_object_is_said_to_be_unknown(service):
    with pyro.proxy(service.uri) as greeter:
        with pytest.raises(Pyro4.errors.DaemonError, match="unknown object"):
            greeter._pyroInvoke("echo", (1,), {}, objectId="nobody")
        assert greeter.echo(1) == 1
    with pytest.raises(Pyro4.errors.PyroError, match="unknown object"):
        pyro.proxy(f"PYRO:nobody@{service.daemon.locationStr}").echo(1)


def test_messages_that_come_in_one_piece_are_answered_in_order(service):
    with service.connect() as peer:
        peer.sendall(hello() + call("x", "note", message.FLAGS_ONEWAY) + call(1) + call(2))
        assert [answer(peer)[2] for _ in range(3)][1:] == [1, 2]
    until(lambda: service.greeter.notes == ["x"])


def test_large_messages_arrive_whole(service):
    large = "xy" * 2_000_000
    with pyro.proxy(service.uri) as greeter:
        assert greeter.echo(large) == large


def test_256_workers_with_three_connections_each(service):
    peers = [introduced(service) for _ in range(3 * 256)]
    for peer in peers:
        peer.sendall(call("still here"))
    assert {answer(peer)[2] for peer in peers} == {"still here"}
    for peer in peers:
        peer.close()
    until(lambda: len(service.lost) == 3 * 256)


# --- strangers ---------------------------------------------------------------------------------


def test_a_stranger_has_only_so_long(service, monkeypatch):
    monkeypatch.setattr(daemon, "INTRODUCTION", 0.5)
    with service.connect() as silent, service.connect() as half:
        half.sendall(hello()[:10])
        ended(silent)
        ended(half)
    assert service.greet() == "hello"


def test_a_stranger_that_drips_has_no_longer(service, monkeypatch):
    monkeypatch.setattr(daemon, "INTRODUCTION", 0.5)
    long = hello(padding="x" * 4000)
    with service.connect() as peer, contextlib.suppress(ConnectionError):
        for byte in long[:-1]:
            peer.sendall(bytes([byte]))
            time.sleep(0.01)
            peer.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                assert peer.recv(1) == b"", "answered?"
                return
            peer.setblocking(True)
        pytest.fail("a whole introduction could be dripped in")


def test_the_oldest_of_too_many_strangers_goes(service, monkeypatch):
    monkeypatch.setattr(daemon, "MAX_STRANGERS", 5)
    monkeypatch.setattr(daemon, "INTRODUCTION", 10 * SOON)
    worker = introduced(service)
    strangers = [service.connect() for _ in range(12)]
    assert service.greet() == "hello"
    for peer in strangers[:7]:
        ended(peer)
    strangers[-1].sendall(hello())
    assert answer(strangers[-1])[0] == message.MSG_CONNECTOK
    worker.sendall(call("still here"))
    assert answer(worker)[2] == "still here"
    for peer in (worker, *strangers):
        peer.close()


garbage = {
    "another protocol": b"GET / HTTP/1.1\r\nHost: master\r\n\r\n",
    "noise": random.Random(0).randbytes(3000),
    "a TLS hello": bytes.fromhex("160301020001") + bytes(300),
    "another version": hello()[:4] + b"\x00\x2f" + hello()[6:],
    "a wrong sum": hello()[:22] + b"\x00\x00" + hello()[24:],
    "negative size": packed(message.MSG_CONNECT, b"", size=-5),
    "100 MB announced": packed(message.MSG_CONNECT, b"", size=100_000_000),
    "larger than a stranger may": hello(padding="x" * daemon.STRANGERS_BYTES),
    "a call before the introduction": call(1),
    "no dictionary": packed(message.MSG_CONNECT, b"[1, 2]"),
    "deeply nested": packed(message.MSG_CONNECT, b"-" * 4000 + b"1"),
    "deeply bracketed": packed(message.MSG_CONNECT, b"[" * 4000),
    "broken annotations": packed(message.MSG_CONNECT, b"{}", annotations=b"xy"),
    "compressed": hello(message.FLAGS_COMPRESSED),
    "kept serialised": hello(message.FLAGS_KEEPSERIALIZED),
}


def complaints(caplog):
    return [record for record in caplog.records if record.name == daemon.__name__]


@pytest.mark.parametrize("sent", garbage.values(), ids=garbage)
def test_garbage_ends_only_its_own_connection(service, sent, caplog):
    caplog.set_level(logging.DEBUG, daemon.__name__)
    with introduced(service) as worker:
        for _ in range(3):
            with service.connect() as peer, contextlib.suppress(ConnectionError):
                peer.sendall(sent)
                ended(peer)
        worker.sendall(call("still here"))
        assert answer(worker)[2] == "still here"
    until(lambda: len(service.lost) == 1)
    until(lambda: len(complaints(caplog)) == 3)
    warnings = [record for record in complaints(caplog) if record.levelno >= logging.WARNING]
    assert len(warnings) == 1, "of the same once a minute"
    assert "127.0.0.1" in warnings[0].getMessage()
    assert not any(record.exc_info for record in caplog.records)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(noise=st.binary(max_size=80), whole=st.booleans())
def test_no_noise_stops_the_service(service, noise, whole):
    with service.connect() as peer, contextlib.suppress(ConnectionError):
        peer.sendall(packed(message.MSG_CONNECT, noise) if whole else noise)
        peer.shutdown(socket.SHUT_WR)
        ended(peer)
    assert service.greet() == "hello"


# --- those who are introduced ------------------------------------------------------------------


def test_the_introduced_may_be_silent_for_longer_than_any_limit(service, monkeypatch):
    monkeypatch.setattr(daemon, "INTRODUCTION", 0.3)
    monkeypatch.setattr(daemon, "MESSAGE_TIME", 0.3)
    with introduced(service) as worker, service.connect() as clock:
        ended(clock)
        worker.sendall(call("still here"))
        assert answer(worker)[2] == "still here"


@pytest.mark.parametrize("cut", [10, 40])
def test_what_is_begun_must_be_finished(service, monkeypatch, cut):
    monkeypatch.setattr(daemon, "MESSAGE_TIME", 0.3)
    with introduced(service) as frozen:
        frozen.sendall(call(1)[:cut])
        ended(frozen)
    until(lambda: len(service.lost) == 1)


def test_an_answer_that_nobody_takes_is_given_up(service, monkeypatch):
    monkeypatch.setattr(daemon, "MESSAGE_TIME", 0.3)
    with introduced(service) as frozen:
        frozen.sendall(call("x" * 12_000_000))
        until(lambda: len(service.lost) == 1)


refused = {
    "100 MB": packed(message.MSG_INVOKE, b"", size=100_000_000),
    "too many values": packed(message.MSG_INVOKE, b"[" + b"1," * 1_100_000 + b"]"),
    "too many empty texts": packed(message.MSG_INVOKE, b"[" + b"''\"\"" * 600_000 + b"]"),
    "a text without an end": packed(message.MSG_INVOKE, b"1," * 1_100_000 + rb"'" + rb"\'" * 99),
    "compressed": call(1, flags=message.FLAGS_COMPRESSED),
    "kept serialised": call(1, flags=message.FLAGS_KEEPSERIALIZED),
    "another protocol": b"GET / HTTP/1.1\r\nHost: master\r\n\r\n",
}


@pytest.mark.parametrize("sent", refused.values(), ids=refused)
def test_the_introduced_are_bounded_too(service, sent):
    with introduced(service) as peer, contextlib.suppress(ConnectionError):
        peer.sendall(sent)
        ended(peer)
    assert service.greeter.callers == []
    assert service.greet() == "hello"


def test_counting_values_takes_time_in_proportion(service):
    """Hostile texts on which a careless pattern needs hours."""
    for text in (rb"'" + rb"\'" * 4_000_000, rb"\'" * 4_000_000, b"'" * 8_000_001):
        with introduced(service) as peer, contextlib.suppress(ConnectionError):
            peer.sendall(packed(message.MSG_INVOKE, text))
            peer.shutdown(socket.SHUT_WR)
            ended(peer)
    assert service.greet() == "hello"


def test_nested_values_are_refused_not_fatal(service):
    with introduced(service) as peer:
        for nested in (b"-" * 60_000 + b"1", b"[" * 60_000, b"{1:" * 60_000, b"~" * 999_999):
            peer.sendall(packed(message.MSG_INVOKE, nested))
            assert answer(peer)[1] & message.FLAGS_EXCEPTION
        peer.sendall(call("still here"))
        assert answer(peer)[2] == "still here"


def test_the_owner_learns_which_connection_is_lost(service):
    with introduced(service) as first, introduced(service) as second:
        for peer in (first, second):
            peer.sendall(call(1))
            answer(peer)
        service.connect().close()
        first.close()
        until(lambda: service.lost)
        assert service.lost == service.greeter.callers[:1]


# --- the end -----------------------------------------------------------------------------------


def test_the_end_closes_every_connection(service):
    peers = [service.connect(), introduced(service), introduced(service)]
    service.daemon.shutdown()
    for peer in peers:
        ended(peer)
        peer.close()
    service.thread.join(SOON)
    assert not service.thread.is_alive()
    assert service.lost == []
    with pytest.raises(ConnectionError):
        service.connect()


def test_a_call_in_progress_is_still_answered(service):
    with introduced(service) as peer:
        data = serpent.dumps(("greeter", "wait", (), {}))
        peer.sendall(packed(message.MSG_INVOKE, data))
        assert service.greeter.begun.wait(SOON)
        threading.Timer(0.05, service.greeter.go_on.set).start()
        service.daemon.shutdown()
        assert answer(peer)[2] == "done"


def test_the_end_may_come_before_the_beginning(plain):
    never = Daemon("127.0.0.1", admits=())
    never.shutdown()
    thread = serve_in_background(never, "never")
    thread.join(SOON)
    assert not thread.is_alive()


def test_a_port_in_use_is_an_error_at_once(service):
    with pytest.raises(OSError, match="in use"):
        Daemon(*service.address, admits=())


# --- the nameserver ----------------------------------------------------------------------------

WORKER = "hpbandster.run_a.b.worker.host.1.0"
ADDRESS = "PYRO:x@127.0.0.1:9999"


def test_names_are_registered_listed_and_removed(service):
    with service.names() as names:
        names.register(WORKER, ADDRESS)
        names.register("hpbandster.run_a.b.dispatcher", Pyro4.URI(ADDRESS))
        assert names.list(prefix="hpbandster.run_a.b.worker.") == {WORKER: ADDRESS}
        assert str(names.lookup("hpbandster.run_a.b.dispatcher")) == ADDRESS
        assert (names.remove(WORKER), names.remove(WORKER), names.count()) == (1, 0, 1)
        with pytest.raises(Pyro4.errors.NamingError, match="already"):
            names.register("hpbandster.run_a.b.dispatcher", ADDRESS, safe=True)


@pytest.mark.parametrize(
    ("name", "uri"),
    [
        ("n", "nonsense"),
        ("n", "PYRONAME:other"),
        ("n", "PYRO:x@./u:socket"),
        ("n", "PYRO:x@host:0"),
        ("n", "PYRO:x@host:99999"),
        ("n", f"PYRO:{'x' * 300}@host:1"),
        ("n", ["PYRO:x@host:1"]),
        ("n" * 301, ADDRESS),
        (7, ADDRESS),
        (None, ADDRESS),
    ],
)
def test_only_sound_names_and_addresses_are_kept(service, name, uri):
    with service.names() as names:
        with pytest.raises(ValueError, match=r"expected|address"):
            names.register(name, uri)
        assert names.list() == {}


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("remove", {"prefix": "hpbandster"}),
        ("remove", {"regex": ".*"}),
        ("list", {"regex": "(a+)+$"}),
        ("set_metadata", {"name": WORKER, "metadata": ["x"]}),
        ("register", {"name": "n", "uri": ADDRESS, "metadata": ["x"]}),
    ],
)
def test_what_nobody_may_do_from_outside(service, method, arguments):
    with service.names() as names:
        names.register(WORKER, ADDRESS)
        with pytest.raises(Pyro4.errors.SecurityError):
            getattr(names, method)(**arguments)
    with service.names() as names:
        assert names.list() == {WORKER: ADDRESS}


def test_names_are_bounded_in_number(service, monkeypatch):
    monkeypatch.setattr(nameserver, "MAX_NAMES", 2)
    with service.names() as names:
        names.register("a", ADDRESS)
        names.register("b", ADDRESS)
        with pytest.raises(Pyro4.errors.NamingError, match="2 names"):
            names.register("c", ADDRESS)
        names.register("b", ADDRESS)


def test_our_own_calls_are_not_restricted():
    names = NameServer()
    names.register("anything", ADDRESS)
    assert names.remove(prefix="any") == 1


def test_a_worker_may_register_workers_only(as_worker):
    others = ("hpbandster.run_a.b.dispatcher", "Pyro.NameServer", "anything", WORKER + "\nx")
    posing = "hpbandster.run_a.b.dispatcher.worker.x"  # HpBandSter asks for this beginning
    for name in (*others, posing):
        for method, arguments in (("register", (name, ADDRESS)), ("remove", (name,))):
            call = getattr(as_worker.names(of="worker"), method)
            with pytest.raises(Pyro4.errors.SecurityError, match="a worker may"):
                call(*arguments)
    with as_worker.names(of="worker") as names:
        names.register(WORKER, ADDRESS)
        assert names.list() == {WORKER: ADDRESS}
        assert names.remove(WORKER) == 1


# --- TLS ---------------------------------------------------------------------------------------


def test_over_tls_everything_is_as_without(as_worker):
    large = "xy" * 500_000
    with pyro.proxy(as_worker.uri, of="worker") as greeter:
        assert greeter.echo(large) == large
        greeter.note("one way")
        until(lambda: as_worker.greeter.notes == ["one way"])
    until(lambda: len(as_worker.lost) == 1)
    assert {peer.role for peer in as_worker.greeter.callers} == {"worker"}


def test_half_a_tls_record_must_be_finished(as_worker, monkeypatch):
    monkeypatch.setattr(daemon, "MESSAGE_TIME", 0.3)
    with pyro.proxy(as_worker.uri, of="worker") as greeter:
        assert greeter.echo(1) == 1
        socket.socket.send(greeter._pyroConnection.sock, b"\x17\x03\x03\x01\x00half")
        until(lambda: len(as_worker.lost) == 1)


def test_a_role_that_is_not_admitted_is_told_so(folder, caplog):
    pyro.set_up_pyro(folder, "master")
    service = Service(admits=("worker",))
    try:
        with pytest.raises(Pyro4.errors.CommunicationError, match="a master is not admitted"):
            service.greet()
        until(lambda: "a master is not admitted" in caplog.text)
    finally:
        service.daemon.shutdown()
        pyro.set_up_pyro()
    assert service.greeter.callers == []


def test_a_peer_without_encryption_is_no_peer(as_worker):
    with as_worker.connect() as peer, contextlib.suppress(ConnectionError):
        peer.sendall(hello())
        ended(peer)
    assert as_worker.greet(of="worker") == "hello"
