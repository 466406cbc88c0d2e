"""Workers on other hosts: cut off, with names that nobody knows, with names that coincide."""

import pytest
from helpers import hosts
from helpers.audit import audit
from helpers.cluster import HERE

from bohb_seg.search.events import Evaluate, Evaluated

pytestmark = pytest.mark.faults

LONG = ("--min-budget", 9, "--max-budget", 9)


def test_a_worker_that_is_cut_off_is_replaced_and_used_again(cluster, network):
    cluster.heartbeat, cluster.sleep = 0.5, 0.15
    cluster.place, there = network.places
    master = cluster.master(*LONG, "--n-iterations", 10, "--min-workers", 2)
    near = cluster.worker()
    far = cluster.worker(place=hosts.renamed(there, "nobody-knows-me.invalid"))
    order = cluster.order_of(far)
    network.cut(1)
    again = cluster.again(order)
    network.heal(1)
    master.finish()
    for worker in (near, far):
        worker.finish()
    audit(cluster.run_dir)
    assert again.worker == cluster.name(near)
    name, orders = cluster.name(far), cluster.events(Evaluate)
    assert "nobody-knows-me" in name
    assert [o.worker for o in orders[orders.index(again) :]].count(name) > 0


def test_a_short_cut_costs_nothing(cluster, network):
    cluster.heartbeat = 5
    cluster.place, there = network.places
    master = cluster.master(*LONG, "--n-iterations", 3)
    far = cluster.worker(place=there)
    order = cluster.order_of(far)
    network.cut(1)
    last = cluster.until(lambda: _epochs(cluster, order) >= 5, "training goes on, cut off")
    network.heal(1)
    master.finish()
    far.finish()
    audit(cluster.run_dir)
    assert last
    assert [order.attempt for order in cluster.events(Evaluate)] == [1, 1, 1]


def test_two_hosts_with_one_name_and_process_number_are_two_workers(cluster, why_no_hosts):
    if why_no_hosts:
        pytest.skip(why_no_hosts)
    master = cluster.master("--n-iterations", 1, "--max-budget", 9, "--min-workers", 2)
    twin = hosts.renamed(HERE, "worker", alone=True)
    twins = [cluster.worker(place=twin) for _ in range(2)]
    master.finish()
    names = {cluster.name(worker) for worker in twins}
    for worker in twins:
        worker.finish()
    audit(cluster.run_dir)
    assert {name.rpartition(".")[0] for name in names} == {"hpbandster.run_run.worker.worker.1"}
    assert {news.worker for news in cluster.events(Evaluated)} == names


def _epochs(cluster, order):
    """How far the checkpoint of this order has come, by the numbers in its files' names."""
    from helpers.cluster import checkpoints

    names = checkpoints(cluster.run_dir).get(order.evaluation.trial, ())
    digits = ("".join(filter(str.isdigit, name)) for name in names if not name.startswith("."))
    return max((int(number) for number in digits if number), default=0)
