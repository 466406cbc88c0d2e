"""Certificates, and daemons with and without them."""

import pytest
from helpers.daemons import Service

from bohb_seg.rpc import certificates, pyro


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """Certificates that no test changes."""
    folder = tmp_path_factory.mktemp("certificates") / "ours"
    certificates.make(folder)
    for name in ("one", "other"):
        certificates.make_worker(folder, name)
    return folder


@pytest.fixture
def plain():
    pyro.set_up_pyro()


@pytest.fixture
def service(plain):
    running = Service()
    yield running
    running.daemon.shutdown()


@pytest.fixture
def as_worker(made):
    """This process shows a worker's certificate, and so do the daemons it runs."""
    pyro.set_up_pyro(made, "worker")
    running = Service(admits=("worker",))
    yield running
    running.daemon.shutdown()
    pyro.set_up_pyro()


@pytest.fixture
def as_one(made):
    """The same with the certificate of a single worker."""
    pyro.set_up_pyro(made / "one", "worker")
    running = Service(admits=("worker",))
    yield running
    running.daemon.shutdown()
    pyro.set_up_pyro()
