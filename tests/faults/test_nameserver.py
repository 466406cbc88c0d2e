"""Nameserver, master and workers may start in any order; the nameserver may forget everybody."""

import pytest
from helpers.audit import audit

from bohb_seg.rpc import names, pyro
from bohb_seg.search.events import Evaluated, WorkersChanged

pytestmark = pytest.mark.faults


def dispatcher_is_known(cluster):
    with pyro.nameserver(cluster.place.address, cluster.port) as nameserver:
        return nameserver.list(prefix=names.dispatcher_name(cluster.run_id))


def test_a_worker_may_come_before_the_master(cluster):
    worker = cluster.worker()
    cluster.until(lambda: worker.said("does not know run"), "the worker says what it waits for")
    master = cluster.master("--n-iterations", 1, "--max-budget", 9)
    master.finish()
    worker.finish()
    audit(cluster.run_dir)


def test_the_nameserver_dies_and_comes_back_empty(cluster):
    cluster.external, cluster.sleep, cluster.heartbeat = True, 0.3, 0.5
    worker = cluster.worker()
    cluster.until(lambda: worker.said("does not know run"), "the worker says what it waits for")
    nameserver = cluster.nameserver()
    flags = ("--min-budget", 9, "--max-budget", 9, "--n-iterations", 12)
    master = cluster.master(*flags, "--min-workers", 2)
    workers = [worker, cluster.worker()]
    cluster.until(lambda: len(cluster.events(Evaluated)) >= 1, "the run goes on")
    nameserver.kill()
    before = len(cluster.events(Evaluated))
    cluster.until(lambda: len(cluster.events(Evaluated)) > before + 1, "it goes on without")
    cluster.nameserver()
    cluster.until(lambda: dispatcher_is_known(cluster), "the run is known again")
    late = cluster.worker()
    cluster.until(lambda: cluster.name(late) in cluster.running(), "a new worker is used")
    master.finish()
    for command in (*workers, late):
        command.finish()
    audit(cluster.run_dir)
    changes = cluster.events(WorkersChanged)
    assert {name for news in changes for name in news.joined} == set(
        map(cluster.name, [*workers, late])
    )
    assert [news.left for news in changes if news.left] == []
