"""A test run that is killed leaves no process behind, not even a frozen one."""

import os
import signal
import subprocess
import sys

import psutil
import pytest
from helpers import hosts
from helpers.cluster import PATIENCE
from helpers.commands import TESTS, wait_until
from helpers.with_us import with_us

pytestmark = pytest.mark.faults


def lives(process):
    """Whether it runs, or would if it were not stopped."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def aborted(tmp_path, why_no_hosts):
    """A process with a frozen cluster below it; what it leaves is removed whatever happens."""
    if not with_us():
        pytest.skip("setpriv is not installed")
    path = os.pathsep.join([str(TESTS), *sys.path])
    command = [sys.executable, "-m", "helpers.programs.aborted", "outer", str(tmp_path)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path}
    )
    below = []
    try:
        assert process.stdout.readline() == "frozen\n"
        below += psutil.Process(process.pid).children(recursive=True)
        yield process, below
    finally:
        process.kill()
        process.wait()
        for each in filter(lives, below):
            each.kill()
        if not why_no_hosts:
            with hosts.hosts(1):  # removes those of the process that is gone
                pass


def test_a_killed_test_run_leaves_no_process(aborted):
    process, below = aborted
    commands = [" ".join(each.cmdline()) for each in below]
    for what in ("aborted inner", "commands.master", "commands.dashboard", "commands.child"):
        assert any(what in command for command in commands), what
    frozen = [each for each in below if each.status() == psutil.STATUS_STOPPED]
    assert len(frozen) >= 2
    process.send_signal(signal.SIGKILL)
    process.wait()
    wait_until(lambda: not any(map(lives, below)), PATIENCE)
