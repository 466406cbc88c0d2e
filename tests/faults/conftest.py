"""A cluster, hosts and small disks for a test; whatever it started ends with it."""

import os
import subprocess

import pytest
from helpers import hosts
from helpers.cluster import Cluster


@pytest.fixture
def cluster(tmp_path):
    started = Cluster(tmp_path)
    yield started
    started.close()


@pytest.fixture(scope="session")
def why_no_hosts():
    return hosts.missing()


@pytest.fixture
def network(why_no_hosts):
    """Two hosts and the bridge between them."""
    if why_no_hosts:
        pytest.skip(why_no_hosts)
    with hosts.hosts(2) as joined:
        yield joined


@pytest.fixture
def disk(tmp_path):
    """A disk of 8 MiB."""
    if os.geteuid():
        pytest.skip("mounting a small disk needs root")
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(place)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no tmpfs can be mounted here")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)
