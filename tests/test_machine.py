"""What is known of this machine and of processes on it."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from bohb_seg import machine


def named(process, host=None):
    return f"hpbandster.run_r.worker.{host or socket.gethostname()}.{process}.abc"


@pytest.fixture
def child():
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.wait()


def test_a_worker_that_runs_here_is_alive_and_dead_once_it_is_killed(child):
    assert not machine.is_dead(named(child.pid))
    child.kill()
    while child.poll() is None:
        pass
    assert machine.is_dead(named(child.pid))


def test_a_worker_whose_parent_has_not_looked_is_dead(child):
    child.stdin.close()
    stat = Path(f"/proc/{child.pid}/stat")
    while not stat.read_text().rpartition(") ")[2].startswith("Z"):
        pass
    assert machine.is_dead(named(child.pid))


@pytest.mark.parametrize("name", [named(1, "elsewhere"), "hpbandster.run_r.worker.w", ""])
def test_of_others_nothing_is_known(name):
    assert not machine.is_dead(name)
