"""It is a Pyro4 daemon like others, over real sockets and with TLS."""

import threading

import Pyro4
import pytest
import serpent
from helpers.daemons import SOON, answer, call, ended, hello, introduced, packed, until
from Pyro4 import message

from bohb_seg.rpc import pyro
from bohb_seg.rpc.daemon import Daemon, serve_in_background


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


def test_the_owner_learns_which_connection_is_lost(service):
    with introduced(service) as first, introduced(service) as second:
        for peer in (first, second):
            peer.sendall(call(1))
            answer(peer)
        service.connect().close()
        first.close()
        until(lambda: service.lost)
        assert service.lost == service.greeter.callers[:1]


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


def test_over_tls_everything_is_as_without(as_worker):
    large = "xy" * 500_000
    with pyro.proxy(as_worker.uri, of="worker") as greeter:
        assert greeter.echo(large) == large
        greeter.note("one way")
        until(lambda: as_worker.greeter.notes == ["one way"])
    until(lambda: len(as_worker.lost) == 1)
    assert {peer.holder.role for peer in as_worker.greeter.callers} == {"worker"}
