"""What an introduced peer sends is whole, small enough and in time, or it is dropped."""

import contextlib
import socket

import pytest
from helpers.daemons import answer, call, ended, introduced, packed, until
from Pyro4 import message

from bohb_seg.rpc import connection, pyro


def test_the_introduced_may_be_silent_for_longer_than_any_limit(service, monkeypatch):
    monkeypatch.setattr(connection, "INTRODUCTION", 0.3)
    monkeypatch.setattr(connection, "MESSAGE_TIME", 0.3)
    with introduced(service) as worker, service.connect() as clock:
        ended(clock)
        worker.sendall(call("still here"))
        assert answer(worker)[2] == "still here"


@pytest.mark.parametrize("cut", [10, 40])
def test_what_is_begun_must_be_finished(service, monkeypatch, cut):
    monkeypatch.setattr(connection, "MESSAGE_TIME", 0.3)
    with introduced(service) as frozen:
        frozen.sendall(call(1)[:cut])
        ended(frozen)
    until(lambda: len(service.lost) == 1)


def test_an_answer_that_nobody_takes_is_given_up(service, monkeypatch):
    monkeypatch.setattr(connection, "MESSAGE_TIME", 0.3)
    with introduced(service) as frozen:
        frozen.sendall(call("x" * 12_000_000))
        until(lambda: len(service.lost) == 1)


def test_half_a_tls_record_must_be_finished(as_worker, monkeypatch):
    monkeypatch.setattr(connection, "MESSAGE_TIME", 0.3)
    with pyro.proxy(as_worker.uri, of="worker") as greeter:
        assert greeter.echo(1) == 1
        socket.socket.send(greeter._pyroConnection.sock, b"\x17\x03\x03\x01\x00half")
        until(lambda: len(as_worker.lost) == 1)


refused = {
    "100 MB": packed(message.MSG_INVOKE, b"", size=100_000_000),
    "too many values": packed(message.MSG_INVOKE, b"[" + b"1," * 1_100_000 + b"]"),
    "too many empty texts": packed(message.MSG_INVOKE, b"[" + b"''\"\"" * 600_000 + b"]"),
    "a text without an end": packed(message.MSG_INVOKE, b"1," * 1_100_000 + rb"'" + rb"\'" * 99),
    "compressed": call(1, flags=message.FLAGS_COMPRESSED),
    "kept serialised": call(1, flags=message.FLAGS_KEEPSERIALIZED),
    "a batch": call(1, flags=message.FLAGS_BATCH),
    "unreadable annotations": packed(message.MSG_INVOKE, call(1)[24:], annotations=b"xy"),
    "annotations in no language": packed(
        message.MSG_INVOKE, call(1)[24:], annotations=b"\xff\xfe\xfd\xfc\x00\x00"
    ),
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
