"""Local workers and logs that fail: told in a sentence, while the run goes on."""

import signal

import psutil
import pytest
from helpers.commands import PROGRAMS, TOY, free_port, only_sentence, processes, run, wait_until

from bohb_seg.errors import EXIT_STOPPED_EARLY
from bohb_seg.master.local_workers import LocalWorkers
from bohb_seg.search.events import Settled
from bohb_seg.settings import SearchSettings
from bohb_seg.storage import journal

pytestmark = pytest.mark.loopback

UNABLE = (*TOY, "--worker", PROGRAMS / "unable.py", "--local-workers", 1, "--port", 0)
"""Later flags count."""


@pytest.fixture
def lone(tmp_path):
    """One local worker of a run that nobody serves."""
    tmp_path.joinpath("run").mkdir()
    settings = SearchSettings(run_id="r", run_dir=tmp_path / "run", worker="toy", local_workers=1)
    workers = LocalWorkers(settings, ("127.0.0.1", 1))
    yield workers
    workers.stop()


def looked_after(workers, condition):
    def done():
        workers.look_after(met=True)
        return condition()

    wait_until(done)


def test_a_worker_that_cannot_be_started_is_started_when_it_can_be(lone, caplog):
    (worker,) = lone._workers
    here = worker._command[0]
    worker._restarts._pause = 0.05
    worker._command[0] = "/no/such/python"
    lone.start()
    looked_after(lone, lambda: worker._restarts._in_vain >= 3)
    assert "local worker 0 cannot be started (No such file or directory); " in caplog.text
    worker._command[0] = here
    looked_after(lone, lambda: worker._child is not None)
    assert worker._child.poll() is None


def settled(folder):
    file = folder / "run/events.jsonl"
    return sum(isinstance(e.event, Settled) for e in journal.read(file)) if file.exists() else 0


def child_of(master):
    """The local worker's process."""
    children = psutil.Process(master.pid).children()
    return next(each for each in children if "bohb_seg.commands.worker" in each.cmdline())


def test_a_run_goes_on_without_its_local_worker_and_without_its_logs(tmp_path):
    """The local worker is killed, then refused again and again; one from elsewhere takes over."""
    port = free_port()
    flags = (*UNABLE, "--run-dir", "run", "--run-id", "run", "--port", port, "--dashboard", 0)
    (tmp_path / "run").mkdir()
    (tmp_path / "run/logs").write_text("no folder")
    with processes(tmp_path) as started:
        master = started.start("bohb_seg.commands.master", *flags, "--n-iterations", 1000)
        wait_until(lambda: settled(tmp_path))
        (tmp_path / "unable").touch()
        child_of(master).kill()
        wait_until(lambda: "local worker 0 ended with status 2" in started.log(master))
        before = settled(tmp_path)
        toy = ("--port", port, "--run-id", "run", "--worker", "toy")
        started.start("bohb_seg.commands.worker", *toy)
        wait_until(lambda: settled(tmp_path) > before)
        master.send_signal(signal.SIGINT)
        assert master.wait(60) == EXIT_STOPPED_EARLY
        said = started.log(master)
    assert "Traceback" not in said
    assert "local worker 0 was ended by SIGKILL" in said
    for log in ("worker-0.log", "dashboard.log"):
        assert f"run/logs/{log} cannot be written (File exists); going on without it" in said
    assert (tmp_path / "run/report/report.html").exists()


def test_a_master_whose_workers_are_all_refused_at_the_start_says_why(tmp_path):
    (tmp_path / "unable").touch()
    with processes(tmp_path) as started:
        master = started.start("bohb_seg.commands.master", *UNABLE, "--run-dir", "run")
        said = only_sentence(master.wait(60), started.log(master))
    assert said == (
        "bohb-master: local worker 0 ended with status 2: bohb-worker: this machine is\\x07 unable"
    )


def test_a_master_that_is_killed_while_its_workers_start_leaves_none(tmp_path):
    flags = (*TOY, "--local-workers", 3, "--port", 0, "--run-dir", "run")
    with processes(tmp_path) as started:
        master = started.start("bohb_seg.commands.master", *flags)
        wait_until(lambda: len(psutil.Process(master.pid).children()) == 3)
        workers = psutil.Process(master.pid).children()
        master.kill()
        master.wait()
        wait_until(lambda: not any(map(is_alive, workers)), 20)


def is_alive(process):
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_resumed_run_whose_workers_are_all_refused_ends_and_says_why(tmp_path):
    """Workers of the past are not waited for longer than their leases."""
    flags = (*UNABLE, "--run-dir", "run", "--heartbeat", 0.5)
    with processes(tmp_path) as started:
        master = started.start("bohb_seg.commands.master", *flags, "--n-iterations", 1000)
        wait_until(lambda: settled(tmp_path))
        worker = child_of(master)
        master.kill()
        worker.wait(60)
    (tmp_path / "unable").touch()
    done = run("bohb_seg.commands.master", "--resume", *flags, folder=tmp_path)
    assert done.returncode not in (0, EXIT_STOPPED_EARLY)
    assert "bohb-master: local worker 0 ended with status 2" in done.stderr
