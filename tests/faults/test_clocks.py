"""Clocks that jump: only the monotonic clock decides, which no setting of the time changes."""

import ast
import subprocess

import pytest
from helpers.audit import audit
from helpers.commands import ROOT
from helpers.mishaps import Clock

from bohb_seg.search.events import Evaluate

pytestmark = pytest.mark.faults

TIMES_OF_DAY = {"time.time", "time.time_ns", "datetime.now", "datetime.utcnow", "date.today"}
DECIDING = ("master", "search", "rpc", "worker")
"""Packages that wait, and judge who is late."""
TELLING_THE_DAY = {"rpc/certificates.py", "rpc/tls.py", "worker/preflight_network.py"}
"""Modules that ask for the date, because certificates have one."""


@pytest.fixture
def clock(tmp_path):
    try:
        return Clock(tmp_path)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"the time of day does not jump: {error}")


def test_a_clock_that_jumps_loses_no_attempt_and_no_worker(cluster, clock):
    long = ("--min-budget", 9, "--max-budget", 9, "--n-iterations", 3)
    master = cluster.master(*long, **clock.environment)
    worker = cluster.worker(**clock.environment)
    cluster.order_of(worker)
    for ticks in (1, -2, 0):
        times = {entry.time for entry in cluster.entries}
        clock.set(ticks)
        cluster.until(
            lambda before=times: abs(cluster.entries[-1].time - max(before)) > 10_000,
            "the journal has another time",
        )
    master.finish()
    worker.finish()
    audit(cluster.run_dir)
    assert {order.attempt for order in cluster.events(Evaluate)} == {1}


def test_what_decides_asks_for_no_time_of_day():
    files = [file for name in DECIDING for file in (ROOT / "bohb_seg" / name).rglob("*.py")]
    assert len(files) > 70
    asking = {str(file.relative_to(ROOT / "bohb_seg")) for file in files if asks(file)}
    assert asking == TELLING_THE_DAY


def asks(file):
    """Whether a module asks what time or day it is."""
    nodes = [
        each for each in ast.walk(ast.parse(file.read_text())) if isinstance(each, ast.Attribute)
    ]
    return any(ast.unparse(each) in TIMES_OF_DAY for each in nodes)
