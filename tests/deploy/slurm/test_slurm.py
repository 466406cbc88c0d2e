"""deploy/slurm/ on a real Slurm of two nodes: searches end, whatever is requeued or must leave."""

import pytest
from deploy.slurm.cluster import NODES
from deploy.slurm.search import LONG
from helpers.audit import audit

from bohb_seg.search.events import Evaluate, Settled
from bohb_seg.storage.journal_entries import RunResumed

pytestmark = [pytest.mark.deploy, pytest.mark.usefixtures("lane")]


def test_a_requeued_task_takes_part_again_and_nothing_is_lost(search, slurm):
    master = search.master(*LONG, "--n-iterations", 60)
    victim, other = search.workers("0-1")
    order = search.seen.order_of(victim)
    search.seen.order_of(other)
    slurm.call("scontrol", "requeue", victim.number)
    again = search.seen.again(order)
    slurm.until(lambda: len(victim.names) == 2, "the task takes part again")
    for task in (master, victim, other):
        task.finish()
    audit(search.run_dir)
    assert again.worker == other.worker_name
    assert search.seen.result(order).info["continued_from"] > 0
    served = {order.worker for order in search.seen.events(Evaluate)}
    assert served == {*victim.names, *other.names}
    (late,) = search.workers("0-0")
    late.finish()
    assert "is finished" in late.log


def test_a_requeued_master_is_found_on_another_node(search, slurm):
    master = search.master(*LONG, "--n-iterations", 10, "--heartbeat", 10)
    workers = search.workers("0-1")
    for worker in workers:
        search.seen.order_of(worker)
    first = master.node
    slurm.call("scontrol", "update", f"NodeName={first}", "State=DRAIN", "Reason=test")
    slurm.call("scontrol", "requeue", master.number)
    slurm.until(lambda: search.seen.events(RunResumed), "the master goes on")
    slurm.call("scontrol", "update", f"NodeName={first}", "State=RESUME")
    for task in (master, *workers):
        task.finish()
    assert {first, master.node} == set(NODES)
    audit(search.run_dir)
    assert {o.attempt for o in search.seen.events(Evaluate)} == {1}  # what ran went on


def test_a_worker_leaves_before_its_time_limit_and_the_next_task_goes_on(lane, slurm):
    search, master, (first, second, *_) = lane
    first.finish()
    assert first.log.endswith("left: told to by SIGTERM\n")
    *_, order = (o for o in search.seen.events(Evaluate) if o.worker == first.worker_name)
    again = search.seen.again(order)
    slurm.until(lambda: again.evaluation in settled(search), "others end what it began")
    assert again.worker == second.worker_name
    assert search.seen.result(again).info["continued_from"] > 0
    slurm.call("scancel", "--name=bohb-worker")
    slurm.call("scancel", "--name=bohb-master")
    slurm.until(lambda: slurm.call("squeue", "--noheader") == "", "no node is held")
    assert "stopped early" in master.log


def settled(search):
    return {settled.evaluation for settled in search.seen.events(Settled)}
