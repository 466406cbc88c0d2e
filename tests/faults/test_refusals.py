"""Nobody is there, the wrong ones come, two runs share a nameserver: it is said, never a hang."""

import os
import re
import sys
from pathlib import Path

import pytest
from helpers.audit import audit
from helpers.cluster import Cluster
from helpers.commands import PROGRAMS, only_sentence

from bohb_seg.search.events import Evaluated

pytestmark = pytest.mark.faults

FOLDER = Path(__file__).parent
SHORT = ("--n-iterations", 1, "--max-budget", 9)
STRANGE = PROGRAMS / "strange.py"
MISSED = re.compile(r"no worker.* bohb-worker (--host \S+ --port \d+ --run-id \S+)")


@pytest.mark.parametrize("external", [False, True])
def test_a_run_without_workers_says_how_to_start_one(cluster, external):
    cluster.external, cluster.master_module = external, "helpers.programs.impatient"
    if external:
        cluster.nameserver()
    master = cluster.master(*SHORT, PYTHONPATH=os.pathsep.join([str(FOLDER.parent), *sys.path]))
    said = cluster.until(
        lambda: found if len(found := MISSED.findall(master.log)) > 1 else None,
        "it is said again",
    )
    worker = cluster.start("bohb_seg.commands.worker", *said[0].split(), "--worker", "toy")
    master.finish()
    worker.finish()
    audit(cluster.run_dir)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"fingerprint": "f" * 64}, ("its data", "f" * 12)),
        ({"split_hash": "5" * 64}, ("split",)),
        ({"version": "0.0.0"}, ("0.0.0",)),
    ],
)
def test_a_worker_with_other_facts_is_refused_on_both_sides(cluster, facts, words):
    # A worker that is no toy makes the master look at its data, so that there are facts to differ.
    strange = ("--worker", STRANGE)
    master = cluster.master(*SHORT, *strange)
    ((fact, value),) = facts.items()
    stranger = cluster.worker(*strange, **{fact.upper(): value})
    sentence = only_sentence(stranger.status(), stranger.log)
    for word in words:
        assert word in sentence
        cluster.until(lambda said=word: master.said(said), "the master says so too")
    worker = cluster.worker(*strange)
    master.finish()
    worker.finish()
    audit(cluster.run_dir)
    assert {news.worker for news in cluster.events(Evaluated)} == {cluster.name(worker)}


def test_a_worker_for_a_run_that_is_not_there_says_which_is(cluster):
    master = cluster.master(*SHORT)
    cluster.until(lambda: cluster.entries, "the run has begun")
    lost = cluster.worker("--run-id", "another")
    cluster.until(lambda: lost.said("run another"), "it says what it looks for")
    right = cluster.worker()
    master.finish()
    right.finish()
    audit(cluster.run_dir)
    assert {news.worker for news in cluster.events(Evaluated)} == {cluster.name(right)}


def test_two_runs_on_one_nameserver_do_not_see_each_other(cluster):
    cluster.external = True
    cluster.nameserver()
    # One name begins with the other: a search by prefix alone would mix them up.
    runs = [cluster, Cluster(cluster.folder, external=True, run_id="run2", port=cluster.port)]
    runs[1].commands = cluster.commands
    masters = [run.master(*SHORT) for run in runs]
    workers = [[run.worker() for _ in range(2)] for run in runs]
    for command in (*masters, *workers[0], *workers[1]):
        command.finish()
    for run, own in zip(runs, workers, strict=True):
        audit(run.run_dir)
        served = {news.worker for news in run.events(Evaluated)}
        assert served <= set(map(run.name, own))


def test_a_second_master_of_a_run_is_refused(cluster):
    cluster.external = True
    cluster.nameserver()
    first = cluster.master(*SHORT)
    cluster.until(lambda: cluster.entries, "the run has begun")
    second = Cluster(cluster.folder, external=True, port=cluster.port)
    second.run_dir, second.commands = cluster.folder / "second", cluster.commands
    refused = second.master(*SHORT)
    sentence = only_sentence(refused.status(), refused.log)
    assert "run" in sentence
    assert not second.run_dir.exists()
    worker = cluster.worker()
    first.finish()
    worker.finish()
    audit(cluster.run_dir)


def test_a_second_master_on_a_run_directory_is_refused(cluster):
    first = cluster.master(*SHORT)
    cluster.until(lambda: cluster.entries, "the run has begun")
    lines = len(cluster.entries)
    second = Cluster(cluster.folder)
    second.commands = cluster.commands
    refused = second.resume()
    sentence = only_sentence(refused.status(), refused.log)
    assert str(cluster.run_dir) in sentence
    assert len(cluster.entries) == lines
    worker = cluster.worker()
    first.finish()
    worker.finish()
    audit(cluster.run_dir)


@pytest.mark.parametrize(
    ("address", "why"), [("203.0.113.7", "Cannot assign"), ("::", "it means all of them")]
)
def test_a_worker_cannot_serve_at_an_address_of_others(cluster, address, why):
    cluster.master(*SHORT)
    stray = cluster.worker("--bind", address)
    sentence = only_sentence(stray.status(), stray.log)
    assert f"--bind {address} is no address of this machine ({why}" in sentence
