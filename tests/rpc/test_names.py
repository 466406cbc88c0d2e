"""The names of a run's objects are HpBandSter's, and are told apart as HpBandSter does."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest
from hpbandster.core.dispatcher import Dispatcher
from hpbandster.core.worker import Worker
from hypothesis import given
from hypothesis import strategies as st

from bohb_seg.rpc import names
from bohb_seg.trials import Attempt, EvaluationId, TrialId

run_ids = st.text("abz019_-", min_size=1)


def test_the_names_of_a_run():
    assert names.prefix("a") == "hpbandster.run_a."
    assert names.dispatcher_name("a") == "hpbandster.run_a.dispatcher"
    assert names.workers_prefix("a") == "hpbandster.run_a.worker."
    assert names.storage_name("a") == "hpbandster.run_a.storage"


def test_hpbandsters_programs_call_themselves_like_this():
    assert Dispatcher(print, run_id="a").pyro_id == names.dispatcher_name("a")
    worker = Worker("a", nameserver="127.0.0.1", id="x").worker_id
    assert worker.startswith(names.workers_prefix("a"))
    assert names.is_worker(worker)
    assert names.is_on(worker, socket.gethostname())


@pytest.mark.parametrize(
    ("attempt", "name"),
    [
        (Attempt(EvaluationId(TrialId(0, 0, 7), 3.0), 1), "hpbandster.run_a.reply.0-0-7.3.1"),
        (Attempt(EvaluationId(TrialId(-1, 1, 0), 0.5), 2), "hpbandster.run_a.reply.-1-1-0.0.5.2"),
    ],
)
def test_a_reply_is_named_by_its_attempt(attempt, name):
    assert names.reply_name("a", attempt) == name


@given(st.dictionaries(run_ids, st.text(max_size=3), max_size=4))
def test_runs_are_found_among_all_names(dispatchers):
    found = {names.dispatcher_name(run_id): uri for run_id, uri in dispatchers.items()}
    others = {f"{names.workers_prefix('a')}host.1.x": "w", "Pyro.NameServer": "n"}
    assert names.runs(found | others) == dispatchers
    assert list(names.runs(found)) == sorted(dispatchers)


@given(run_ids, st.text("abz.01", min_size=1))
def test_a_worker_is_known_by_its_name(run_id, rest):
    worker = names.workers_prefix(run_id) + rest
    assert names.is_worker(worker)
    assert names.worker_name(worker) == rest


@pytest.mark.parametrize(
    "name",
    [
        "",
        "worker.x",
        "hpbandster.run_a.dispatcher",
        "hpbandster.run_a.worker.",
        "hpbandster.run_.worker.x",
        "hpbandster.run_a.dispatcher.worker.x",
        "hpbandster.run_a.storage",
    ],
)
def test_other_names_are_no_workers(name):
    assert not names.is_worker(name)


@pytest.mark.parametrize(
    ("worker", "name"),
    [
        ("hpbandster.run_r.worker.worker.1.ab", "worker.1.ab"),
        ("hpbandster.run_r.worker.h.worker.1", "h.worker.1"),
        ("w", "w"),
    ],
)
def test_a_worker_is_shown_without_its_run(worker, name):
    assert names.worker_name(worker) == name


def test_a_host_is_not_another_whose_name_begins_alike():
    assert names.is_on("hpbandster.run_r.worker.node-1.7.ab", "node-1")
    assert not names.is_on("hpbandster.run_r.worker.node-12.7.ab", "node-1")


# --- whether a worker lives --------------------------------------------------------------------


def named(process, host=None):
    return f"hpbandster.run_r.worker.{host or socket.gethostname()}.{process}.abc"


@pytest.fixture
def child():
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.wait()


def test_a_worker_that_runs_here_is_alive_and_dead_once_it_is_killed(child):
    assert not names.is_dead(named(child.pid))
    child.kill()
    while child.poll() is None:
        pass
    assert names.is_dead(named(child.pid))


def test_a_worker_whose_parent_has_not_looked_is_dead(child):
    child.stdin.close()
    stat = Path(f"/proc/{child.pid}/stat")
    while not stat.read_text().rpartition(") ")[2].startswith("Z"):
        pass
    assert names.is_dead(named(child.pid))


@pytest.mark.parametrize("name", [named(1, "elsewhere"), "hpbandster.run_r.worker.w", ""])
def test_of_others_nothing_is_known(name):
    assert not names.is_dead(name)


HERE = socket.gethostname()


@pytest.mark.parametrize(
    ("name", "machine", "number"),
    [
        (f"{HERE}.5123.1a2b", HERE, 5123),
        (f"{HERE}.5123.12345678", HERE, 5123),
        (f"{HERE}.5123", HERE, 5123),
        ("node-1.5123.1a2b", "node-1", None),
        ("node.01.cluster.5123.1a2b", "node.01.cluster", None),
        ("hand", "hand", None),
    ],
)
def test_a_workers_name_tells_its_machine_and_its_process(name, machine, number):
    worker = f"{names.workers_prefix('r')}{name}"
    assert names.machine(worker) == machine
    assert names.process_here(worker) == number
