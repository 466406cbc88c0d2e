"""Transports and workers for the tests of what needs a wire."""

import subprocess
import sys

import pytest
from helpers.commands import PROGRAMS
from helpers.mailbox import LONG, Hand, opened

from bohb_seg.rpc import pyro


@pytest.fixture(scope="module", autouse=True)
def wire():
    pyro.set_up_pyro()


@pytest.fixture
def transport():
    with opened() as transport:
        yield transport


@pytest.fixture
def patient():
    """A transport whose leases outlast every test: what is noticed is noticed otherwise."""
    with opened(heartbeat=LONG) as transport:
        yield transport


@pytest.fixture(scope="module")
def alone():
    """A transport for tests without a worker."""
    with opened() as transport:
        yield transport


@pytest.fixture
def hire():
    """Makes workers, and ends them."""
    made = []

    def make(transport, name="hand", kind=Hand, doing=""):
        made.append(kind(transport, name, doing))
        return made[-1]

    yield make
    for worker in made:
        worker.end()


@pytest.fixture
def hand(transport, hire):
    return lambda name="hand", kind=Hand, doing="": hire(transport, name, kind, doing)


@pytest.fixture
def stock(transport, tmp_path):
    """An unmodified HpBandSter worker in a process of its own."""
    host, port = transport.nameserver
    code = PROGRAMS / "stock.py"
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, str(code), "worker", "try", host, str(port), "127.0.0.1"],
            stdout=log,
            stderr=log,
        )
    yield process
    process.kill()
    process.wait()
