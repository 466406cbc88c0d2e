"""Strangers cannot stall the server, whatever they send or do not send."""

import contextlib
import logging
import random
import socket
import threading
import time

import Pyro4
import pytest
import serpent
from helpers.daemons import SOON, Service, answer, call, ended, hello, introduced, packed, until
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from Pyro4 import message

from bohb_seg.rpc import connection, pyro, server


def test_a_stranger_has_only_so_long(service, monkeypatch):
    monkeypatch.setattr(connection, "INTRODUCTION", 0.5)
    with service.connect() as silent, service.connect() as half:
        half.sendall(hello()[:10])
        ended(silent)
        ended(half)
    assert service.greet() == "hello"


def test_a_stranger_that_drips_has_no_longer(service, monkeypatch):
    monkeypatch.setattr(connection, "INTRODUCTION", 0.5)
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
    monkeypatch.setattr(server, "MAX_STRANGERS", 5)
    monkeypatch.setattr(connection, "INTRODUCTION", 10 * SOON)
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
    "larger than a stranger may": hello(padding="x" * connection.STRANGERS_BYTES),
    "a call before the introduction": call(1),
    "no dictionary": packed(message.MSG_CONNECT, b"[1, 2]"),
    "deeply nested": packed(message.MSG_CONNECT, b"-" * 4000 + b"1"),
    "deeply bracketed": packed(message.MSG_CONNECT, b"[" * 4000),
    "broken annotations": packed(message.MSG_CONNECT, b"{}", annotations=b"xy"),
    "compressed": hello(message.FLAGS_COMPRESSED),
    "kept serialised": hello(message.FLAGS_KEEPSERIALIZED),
}


def complaints(caplog):
    return [record for record in caplog.records if record.name == server.__name__]


@pytest.mark.parametrize("sent", garbage.values(), ids=garbage)
def test_garbage_ends_only_its_own_connection(service, sent, caplog):
    caplog.set_level(logging.DEBUG, server.__name__)
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


def test_a_role_that_is_not_admitted_is_told_so(made, caplog):
    pyro.set_up_pyro(made, "master")
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


def test_a_flood_of_the_introduced_hits_its_source(service, monkeypatch):
    """Whoever has most connections loses the oldest of them; others keep theirs."""
    monkeypatch.setattr(server, "MAX_KNOWN", 6)
    parties = iter([*["worker"] * 2, *["flood"] * 12])
    introduce = server.Server._introduce

    def counted(self, connection):
        connection.peer = next(parties)
        introduce(self, connection)

    monkeypatch.setattr(server.Server, "_introduce", counted)
    workers = [introduced(service) for _ in range(2)]
    flood = [introduced(service) for _ in range(12)]
    for peer in flood[:8]:
        ended(peer)
    for peer in (*workers, *flood[8:]):
        peer.sendall(call("still here"))
        assert answer(peer)[2] == "still here"
        peer.close()


def test_strangers_words_in_the_log_are_one_line_that_can_be_seen(service, caplog):
    with introduced(service) as peer, contextlib.suppress(ConnectionError):
        strange = {"__class__": "x__\n\x1b[2J" + "y" * 5000}
        peer.sendall(call(strange))
        ended(peer)
    until(lambda: complaints(caplog))
    (said,) = {record.getMessage() for record in complaints(caplog)}
    assert said.isprintable()
    assert len(said) <= 1000
    assert said.startswith("dropped 127.0.0.1: refused to deserialize types")


def test_calls_that_want_no_answer_take_no_threads(service):
    before = threading.active_count()
    with introduced(service) as peer:
        for _ in range(50):
            data = serpent.dumps(("greeter", "wait", (), {}))
            peer.sendall(packed(message.MSG_INVOKE, data, message.FLAGS_ONEWAY))
        assert service.greeter.begun.wait(SOON)
        assert threading.active_count() <= before + 1
        service.greeter.go_on.set()
        peer.sendall(call("still here"))
        assert answer(peer)[2] == "still here"
