"""The run is another's, its directory goes away, its files cannot be written."""

import contextlib
import shutil

import pytest
from helpers.audit import audit
from helpers.commands import only_sentence
from helpers.masters import left_elsewhere

from bohb_seg.errors import EXIT_STOPPED_EARLY
from bohb_seg.master.run_setup import assemble
from bohb_seg.search.events import Evaluate, Evaluated
from bohb_seg.settings import SearchSettings
from bohb_seg.storage import journal, resume, run_lock
from bohb_seg.storage.journal_entries import RunResumed

pytestmark = pytest.mark.faults

SHORT = ("--min-budget", 1, "--max-budget", 9, "--n-iterations", 1)
LONG = ("--min-budget", 9, "--max-budget", 9, "--n-iterations", 2)


def test_a_master_that_was_stopped_for_a_while_keeps_its_run(cluster):
    master, worker = cluster.master(*SHORT), cluster.worker()
    cluster.order_of(worker)
    master.freeze()
    sentence = only_sentence((second := cluster.resume("--take-over")).status(), second.log)
    assert f"in use by another master, process {master.process.pid} on" in sentence
    master.thaw()
    master.finish()
    worker.finish()
    audit(cluster.run_dir)
    assert not (cluster.run_dir / run_lock.FILE_NAME).exists()


def test_a_master_whose_run_was_taken_over_ends_and_its_workers_go_on(cluster):
    """As over a network file system: to the second one, the first one's machine seems lost."""
    cluster.heartbeat = 5
    master, worker = cluster.master(*LONG), cluster.worker()
    cluster.order_of(worker)
    master.freeze()
    left_elsewhere(cluster.run_dir)
    taken = journal.Journal(cluster.run_dir / journal.FILE_NAME, "always")
    taken.append([RunResumed()])
    master.thaw()
    assert "was taken over by process" in only_sentence(master.status(), master.log)
    assert worker.alive
    taken.close()
    master = cluster.resume()
    master.finish()
    worker.finish()
    audit(cluster.run_dir)
    assert {order.attempt for order in cluster.events(Evaluate)} == {1}


def moved(run_dir):
    return run_dir.rename(run_dir.with_name("elsewhere"))


def removed(run_dir):
    shutil.rmtree(run_dir, ignore_errors=True)  # a worker may write in this moment
    return run_dir


def emptied(run_dir):
    for path in run_dir.iterdir():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    return run_dir


@pytest.mark.parametrize(
    ("happens", "words"),
    [(moved, "was moved to"), (removed, "was removed; its"), (emptied, "was removed; its")],
)
def test_a_run_directory_that_goes_away_ends_the_work_and_no_run(cluster, happens, words):
    cluster.sleep = 0.5  # nobody has news, so nothing is written, for some seconds
    master, worker = cluster.master(*LONG), cluster.worker()
    order = cluster.order_of(worker)
    before = cluster.entries
    cluster.run_dir = happens(cluster.run_dir)
    sentence = only_sentence(master.status(), master.log)
    assert words in sentence
    assert f"'bohb-master --resume --run-dir {cluster.run_dir}'" in sentence
    assert master.said("is missing")
    worker.finish()
    assert cluster.entries[: len(before)] == before
    given = SearchSettings(run_dir=cluster.run_dir)
    with contextlib.closing(resume.opened(given)) as left:
        past = resume.past(left)
        run = assemble(resume.resumed(given, {}, past), past)
    assert run.changes == ()
    assert [order for order in run.workers.values() if order] == [order]


def test_a_run_directory_that_comes_back_is_no_matter(cluster):
    """Its worker has checkpoints to write meanwhile: nobody makes the directory anew."""
    master, worker = cluster.master(*LONG), cluster.worker()
    cluster.order_of(worker)
    away = moved(cluster.run_dir)
    cluster.until(lambda: master.said("is missing"), "the master misses it")
    away.rename(cluster.run_dir)
    master.finish()
    worker.finish()
    audit(cluster.run_dir)


def test_files_that_cannot_be_completed_are_no_success(cluster):
    master, worker = cluster.master(*SHORT), cluster.worker()
    cluster.until(lambda: cluster.events(Evaluated), "there is a result")
    results = cluster.run_dir / "results.json"
    results.unlink()
    results.mkdir()
    (results / "in the way").touch()
    assert master.status() == EXIT_STOPPED_EARLY
    assert master.said("live log is behind")
    assert master.said("HpBandSter's files cannot be written")
    assert (cluster.run_dir / "report/report.html").exists()
    assert not (cluster.run_dir / "results.pkl").exists()
    worker.finish()
    shutil.rmtree(results)
    cluster.resume().finish()
    audit(cluster.run_dir)
    assert (cluster.run_dir / "results.pkl").exists()
