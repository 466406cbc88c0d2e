"""A worker is killed, freezes, or is told to leave: its evaluation goes on elsewhere."""

import pytest
from helpers.audit import audit

from bohb_seg.search.events import Evaluate, WorkersChanged

pytestmark = pytest.mark.faults

LONG = ("--min-budget", 9, "--max-budget", 9)
"""One rung of evaluations that last nine units each, so that there is time to disturb them."""


def test_a_killed_workers_evaluation_goes_on_from_its_checkpoint(cluster):
    cluster.heartbeat = 5
    master = cluster.master(*LONG, "--n-iterations", 2, "--min-workers", 2)
    victim, other = cluster.worker(), cluster.worker()
    order = cluster.order_of(victim)
    victim.kill()
    again = cluster.again(order)
    master.finish()
    other.finish()
    audit(cluster.run_dir)
    result = cluster.result(order)
    assert (again.attempt, again.worker) == (result.attempt, result.worker)
    assert again.worker == cluster.name(other)
    assert result.info["continued_from"] > 0


def test_a_frozen_workers_evaluation_is_handed_on_and_the_worker_is_used_again(cluster):
    cluster.heartbeat, cluster.sleep = 0.5, 0.15
    master = cluster.master(*LONG, "--n-iterations", 8, "--min-workers", 2)
    victim, other = cluster.worker(), cluster.worker()
    order = cluster.order_of(victim)
    victim.freeze()
    again = cluster.again(order)
    victim.thaw()
    master.finish()
    for worker in (victim, other):
        worker.finish()
    audit(cluster.run_dir)
    assert again.worker == cluster.name(other)
    name, orders = cluster.name(victim), cluster.events(Evaluate)
    assert [o.worker for o in orders[orders.index(again) :]].count(name) > 0


def test_a_worker_that_freezes_for_less_than_a_lease_keeps_its_evaluation(cluster):
    cluster.heartbeat, cluster.sleep = 10, 0.1
    master = cluster.master(*LONG, "--n-iterations", 2)
    worker = cluster.worker()
    order = cluster.order_of(worker)
    worker.freeze()
    late = cluster.worker()
    cluster.until(lambda: len(cluster.running()) == 2, "the other worker is at work")
    worker.thaw()
    master.finish()
    for command in (worker, late):
        command.finish()
    audit(cluster.run_dir)
    assert cluster.result(order).worker == order.worker


def test_a_worker_that_is_told_to_leave_hands_its_evaluation_back(cluster):
    cluster.heartbeat = 5
    master = cluster.master(*LONG, "--n-iterations", 2, "--min-workers", 2)
    leaving, other = cluster.worker(), cluster.worker()
    order = cluster.order_of(leaving)
    leaving.terminate()
    leaving.finish()
    again = cluster.again(order)
    master.finish()
    other.finish()
    audit(cluster.run_dir)
    assert again.worker == cluster.name(other)
    assert cluster.result(order).info["continued_from"] > 0
    left = [name for news in cluster.events(WorkersChanged) for name in news.left]
    assert left == [order.worker]


def test_a_worker_that_is_told_twice_leaves_at_once(cluster):
    cluster.heartbeat, cluster.sleep = 5, 600
    cluster.master(*LONG, "--n-iterations", 1)
    leaving = cluster.worker("--notice", 600)  # so told once, it would stay for ten minutes
    order = cluster.order_of(leaving, begun=False)
    cluster.until(lambda: leaving.terminate() or not leaving.alive, "the worker leaves")
    cluster.worker()
    assert cluster.again(order).attempt == 2


def test_every_worker_is_lost_and_others_come(cluster):
    flags = ("--max-attempts", 4)  # each death counts against the evaluation
    master = cluster.master("--n-iterations", 1, "--max-budget", 9, "--min-budget", 3, *flags)
    for _ in range(3):
        worker = cluster.worker()
        cluster.order_of(worker)
        worker.kill()
    last = cluster.worker()
    master.finish()
    last.finish()
    audit(cluster.run_dir)
