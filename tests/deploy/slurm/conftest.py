"""One Slurm for all tests, and a search of its own for each; all of it ends with them."""

import pytest
from deploy.slurm.search import Search
from helpers.hosts import hosts

from deploy.slurm import cluster


@pytest.fixture(scope="session")
def slurm(tmp_path_factory):
    if reason := cluster.why_not():
        pytest.skip(reason)
    with hosts(3) as network:
        started = cluster.Slurm(tmp_path_factory.mktemp("slurm"), network)
        try:
            started.start()
            yield started
        finally:
            started.close()


@pytest.fixture
def search(slurm, tmp_path):
    return Search(slurm, tmp_path)


@pytest.fixture(scope="session")
def lane(slurm, tmp_path_factory):
    """A search whose workers come one after the other, each with a time limit of minutes.

    That is how long it takes, so it runs beside the other tests. Its evaluations take half a
    minute, so that every limit falls into one.
    """
    search = Search(slurm, tmp_path_factory.mktemp("lane"))
    master = search.master("--min-budget", 300, "--max-budget", 300, "--n-iterations", 100)
    return search, master, search.workers("0-9%1", "--time=6")
