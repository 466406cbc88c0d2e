"""Dashboards of small runs, served by real processes."""

import ssl

import pytest
from helpers.dashboards import shown

from bohb_seg.rpc import certificates


@pytest.fixture(scope="session")
def here(tmp_path_factory):
    """Served on loopback."""
    with shown(tmp_path_factory.mktemp("here")) as its:
        yield its


@pytest.fixture(scope="session")
def certs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificates") / "ours"
    certificates.make(folder)
    return folder


@pytest.fixture(scope="session")
def away(tmp_path_factory, certs):
    """Served on every address, as in a container whose port is published."""
    trust = ssl.create_default_context(cafile=str(certs / "ca.pem"))
    with shown(tmp_path_factory.mktemp("away"), "0.0.0.0:0", tls=certs, trust=trust) as its:
        yield its
