"""A worker that sleeps through the end of its run leaves nothing behind in it."""

import pytest
from helpers.audit import audit
from helpers.cluster import Cluster

LONG = ("--min-budget", 9, "--max-budget", 9, "--n-iterations", 2)


@pytest.fixture
def cluster(tmp_path):
    started = Cluster(tmp_path, heartbeat=0.5)
    yield started
    started.close()


def test_a_worker_that_thaws_after_the_end_writes_no_checkpoint(cluster):
    master = cluster.master(*LONG, "--min-workers", 2)
    victim, other = cluster.worker(), cluster.worker()
    order = cluster.order_of(victim)
    victim.freeze()
    cluster.again(order)
    master.finish()
    other.finish()
    victim.thaw()
    cluster.until(lambda: victim.said("the master does not take"), "the late worker has its result")
    assert victim.alive
    audit(cluster.run_dir)
    cluster.resume().finish()  # whoever goes on makes the folder, and removes it again
    audit(cluster.run_dir)
