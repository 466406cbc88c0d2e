"""A child ends with its parent, however early and whoever the parent is."""

import signal
import subprocess
import sys

import psutil
import pytest
from helpers.commands import PROGRAMS, free_port, processes, wait_until
from helpers.with_us import with_us

pytestmark = pytest.mark.loopback

PARENT = (sys.executable, PROGRAMS / "parent.py")


def runs(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize("seconds", [0, 0.03, 0.2, 0.5])
def test_a_worker_whose_parent_is_killed_while_it_starts_ends_too(seconds):
    """A worker that asks for its parent after its imports finds another one, and lives for ever."""
    command = [*with_us(), *map(str, (*PARENT, seconds, free_port()))]
    parent = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    assert parent.returncode == -signal.SIGKILL
    worker = int(parent.stdout)
    wait_until(lambda: not runs(worker), 20)


def test_a_worker_whose_parent_is_number_1_lives_and_ends_with_it():
    """As with a master that is the first process of its container."""
    apart = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
    if subprocess.run([*apart, "true"], capture_output=True, check=False).returncode:
        pytest.skip("unshare cannot make a PID namespace here")
    command = [*with_us(), *apart, *map(str, (*PARENT, "stay", free_port()))]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as unshare:
        assert int(unshare.stdout.readline()) == 2
        said = iter(unshare.stderr.readline, "")
        assert any("does not know a run to serve yet" in line for line in said)
        worker = psutil.Process(unshare.pid).children(recursive=True)[-1]
        assert "bohb_seg.commands.worker" in worker.cmdline()
        unshare.stdin.close()
        assert unshare.wait(20) == 0
    wait_until(lambda: not runs(worker.pid), 20)


@pytest.fixture
def of_two_gpus(tmp_path, monkeypatch):
    """``bohb-worker --device all-gpus`` with two workers started, and all commands."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    flags = ("--device", "all-gpus", "--worker", "toy", "--port", free_port())
    with processes(tmp_path) as started:
        parent = started.start("bohb_seg.commands.worker", *flags)
        wait_until(lambda: devices_below(parent) == ["gpu:0", "gpu:1"])
        yield parent, started


def test_the_workers_of_all_gpus_end_with_the_process_that_started_them(of_two_gpus):
    parent, _ = of_two_gpus
    workers = psutil.Process(parent.pid).children()
    parent.kill()
    parent.wait()
    wait_until(lambda: not any(runs(worker.pid) for worker in workers), 20)


def test_the_worker_of_a_gpu_that_is_killed_is_started_again(of_two_gpus):
    parent, started = of_two_gpus
    second = psutil.Process(parent.pid).children()[1]
    second.kill()
    wait_until(lambda: not second.is_running())
    wait_until(lambda: devices_below(parent) == ["gpu:0", "gpu:1"])
    wait_until(lambda: started.log(parent).count("does not know a run to serve yet") >= 2)
    parent.terminate()
    assert parent.wait(20) == 0
    said = started.log(parent)
    assert "the worker of GPU 1 ended with status -9; starting it again in 1 s" in said


def devices_below(parent):
    children = psutil.Process(parent.pid).children()
    return [
        child.cmdline()[-1] for child in children if "bohb_seg.commands.child" in child.cmdline()
    ]
