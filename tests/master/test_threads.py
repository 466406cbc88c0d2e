"""The master's own threads: where the system has none left, nobody is forgotten."""

import contextlib
import logging
import subprocess
import sys
import threading

import pytest
from helpers.commands import answers, free_port
from helpers.mailbox import LONG, RUN, Drawer, Hand, dispatcher, heard, opened, order, until

from bohb_seg.errors import ServiceError
from bohb_seg.master.transport import Transport
from bohb_seg.rpc import pyro
from bohb_seg.search.events import WorkersChanged

MORE_THAN_THERE_IS = 1 << 46
"""Bytes of a stack for which no machine has addresses."""


@contextlib.contextmanager
def starved():
    """No thread of this process can be started: "can't start new thread", as the system says."""
    threading.stack_size(MORE_THAN_THERE_IS)
    try:
        yield
    finally:
        threading.stack_size(0)


@pytest.fixture
def nameserver():
    """A nameserver in a process of its own, which needs no thread of ours."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "Pyro4.naming", "--host", "127.0.0.1", "--port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until(lambda: answers(port))
    yield "127.0.0.1", port
    process.kill()
    process.wait()


class Unregistered(Hand):
    """A worker that has no name yet."""

    def register(self):
        pass


@pytest.mark.loopback
@pytest.mark.parametrize("is_expected", [False, True])
def test_a_worker_that_comes_while_there_is_no_thread_is_found_later(
    nameserver, hire, caplog, is_expected
):
    name = f"{RUN}worker.hand"
    past = {name: order(0, 1, name)} if is_expected else {}
    with opened(past, heartbeat=LONG / 10, external=nameserver) as transport:
        worker = hire(transport, "hand", Unregistered)
        with pyro.nameserver(*nameserver) as names, dispatcher(transport) as remote:
            remote.trigger_discover_worker()
            with starved(), caplog.at_level(logging.WARNING):
                names.register(worker.name, worker.uri)
                remote.trigger_discover_worker()
                until(lambda: "cannot look after" in caplog.text)
            remote.trigger_discover_worker()
            # The scheduler believes a worker of the past at its attempt; it is idle.
            left = [WorkersChanged(left=(worker.name,))] if is_expected else []
            joined = WorkersChanged(joined=(worker.name,))
            assert heard(transport, 1 + is_expected) == [*left, joined]
        assert transport.fault() == ""


def test_a_thread_that_has_ended_is_noticed(alone):
    assert alone.fault() == ""
    with opened() as transport:
        transport._discovery.stop()
        transport._discovery.join(LONG)
        assert transport.fault() == "its thread 'discovery' has ended"


def test_a_master_that_gets_no_thread_says_so(alone):
    usual = {"run_id": "b", "host": "127.0.0.1", "port": 0, "external": None}
    transport = Transport(**usual, working_directory="", heartbeat=1)
    transport.bind()
    try:
        with starved(), pytest.raises(ServiceError, match="refuses the master a thread"):
            transport.serve(None, Drawer())
    finally:
        transport._daemon.shutdown()
