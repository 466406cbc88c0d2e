"""Workers that share the run's storage look there for its master, wherever it is by now."""

import pytest
from helpers.audit import audit
from helpers.commands import free_port

from bohb_seg.search.events import Evaluate

pytestmark = pytest.mark.faults

LONG = ("--min-budget", 9, "--max-budget", 9)


def looks_in(cluster, *flags):
    """A worker that is told nothing but the run's directory."""
    return cluster.start(
        "bohb_seg.commands.worker", "--run-dir", cluster.run_dir, "--worker", "toy", *flags
    )


def test_a_worker_finds_the_master_and_the_next_one_at_another_address(cluster):
    cluster.heartbeat = 5
    worker = looks_in(cluster)  # before there is a directory
    master = cluster.master(*LONG, "--n-iterations", 3)
    cluster.order_of(worker)
    master.kill()
    cluster.port = free_port()
    master = cluster.resume()
    master.finish()
    worker.finish()
    audit(cluster.run_dir)
    assert {order.attempt for order in cluster.events(Evaluate)} == {1}


def test_a_worker_that_comes_too_late_leaves(cluster):
    master, worker = cluster.master("--n-iterations", 1), looks_in(cluster)
    master.finish()
    worker.finish()
    assert looks_in(cluster).finish().count("is finished") == 1


def test_a_worker_that_missed_the_end_leaves(cluster):
    cluster.heartbeat, cluster.sleep = 0.5, 0.1
    master = cluster.master(*LONG, "--n-iterations", 4, "--min-workers", 2)
    victim, other = looks_in(cluster), looks_in(cluster)
    cluster.order_of(victim)
    victim.freeze()
    master.finish()
    other.finish()
    victim.thaw()
    assert "is finished" in victim.finish()


def test_a_worker_that_waits_for_a_master_leaves_when_its_patience_ends(cluster):
    assert "--idle-timeout is over" in looks_in(cluster, "--idle-timeout", 1).finish()
