"""The master dies at any moment; its workers do not, and the next one goes on."""

import random
import time

import pytest
from helpers.accounts import trained_twice
from helpers.audit import audit
from helpers.cluster import Cluster
from helpers.commands import PROGRAMS

from bohb_seg.commands.command_line import EXIT_STOPPED_EARLY
from bohb_seg.search.events import Evaluate
from bohb_seg.storage import journal
from bohb_seg.storage.journal_entries import RunResumed

pytestmark = pytest.mark.faults

SEARCH = ("--n-iterations", 2, "--min-budget", 1, "--max-budget", 9, "--seed", 5)
KILLS = 3
TALLYING = PROGRAMS / "tallying.py"


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    cluster = Cluster(tmp_path_factory.mktemp("undisturbed"), sleep=0)
    try:
        master, worker = cluster.master(*SEARCH), cluster.worker()
        master.finish()
        worker.finish()
    finally:
        cluster.close()
    return audit(cluster.run_dir).outcome


def without_sleep(configurations):
    return {trial: {**c, "sleep": None} for trial, c in configurations.items()}


@pytest.mark.parametrize("seed", range(3))
def test_a_killed_master_is_resumed_by_the_same_workers(cluster, undisturbed, seed):
    cluster.sleep, cluster.program = 0.1, TALLYING
    moments = random.Random(seed)
    master = cluster.master(*SEARCH, "--min-workers", 2)
    workers = [cluster.worker(), cluster.worker()]
    for _ in range(KILLS):
        lines = len(cluster.entries) + moments.randrange(4, 16)
        cluster.until(lambda enough=lines: len(cluster.entries) >= enough, "the run goes on")
        time.sleep(moments.uniform(0, 0.3))  # any moment, not only that of a write
        master.kill()
        master = cluster.resume()
    master.finish()
    for worker in workers:
        worker.finish()
    outcome = audit(cluster.run_dir).outcome
    assert outcome.losses == undisturbed.losses
    assert without_sleep(outcome.configurations) == without_sleep(undisturbed.configurations)
    assert outcome.best == undisturbed.best
    assert len(cluster.events(RunResumed)) == KILLS
    assert trained_twice(cluster.folder / "tally") == 0  # what ran went on


def test_a_worker_that_died_with_the_master_is_found_missing(cluster):
    cluster.heartbeat = 0.5
    master = cluster.master("--min-budget", 9, "--max-budget", 9, "--n-iterations", 2)
    worker = cluster.worker()
    order = cluster.order_of(worker)
    master.kill()
    worker.kill()
    master, other = cluster.resume(), cluster.worker()
    again = cluster.again(order)
    master.finish()
    other.finish()
    audit(cluster.run_dir)
    assert again.worker == cluster.name(other)
    assert cluster.result(order).info["continued_from"] > 0


def test_a_worker_that_leaves_while_there_is_no_master_is_not_waited_for(cluster):
    cluster.heartbeat = 0.5
    master = cluster.master("--min-budget", 9, "--max-budget", 9, "--n-iterations", 2)
    worker = cluster.worker()
    order = cluster.order_of(worker)
    master.kill()
    worker.terminate()
    worker.status()
    master, other = cluster.resume(), cluster.worker()
    master.finish()
    other.finish()
    audit(cluster.run_dir)
    assert cluster.result(order).worker == cluster.name(other)


def test_a_master_that_something_starts_again_keeps_its_workers(cluster):
    search = ("--restartable", "--min-budget", 3, "--max-budget", 9, "--n-iterations", 2)
    cluster.run_dir.mkdir()
    (cluster.run_dir / journal.FILE_NAME).write_bytes(b'{"time": 17')  # killed at its first word
    master, worker = cluster.master(*search), cluster.worker()
    cluster.order_of(worker)
    master.terminate()
    assert master.status() == EXIT_STOPPED_EARLY
    master = cluster.master(*search)  # the very same words
    cluster.until(lambda: cluster.events(RunResumed), "the run goes on")
    master.finish()
    worker.finish()
    audit(cluster.run_dir)
    assert {order.worker for order in cluster.events(Evaluate)} == {cluster.name(worker)}
    cluster.master(*search).finish()  # there is nothing left to do, and that is no fault


def test_a_signal_while_results_and_report_are_written_changes_nothing(cluster):
    cluster.sleep = 0
    master, worker = cluster.master(*SEARCH), cluster.worker()
    cluster.until(lambda: master.said("finished: "), "the search ends")
    master.process.terminate()
    master.finish()
    worker.finish()
    assert (cluster.run_dir / "report/report.html").is_file()
