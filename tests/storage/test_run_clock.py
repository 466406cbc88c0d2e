"""The time since a run began, over several starts of its master."""

import subprocess
import sys

import pytest

from bohb_seg.storage import run_clock


@pytest.fixture
def began():
    return dict(run_clock.process_began())


def test_it_counts_from_the_beginning_of_the_process():
    code = (
        "import time; time.sleep(0.5); from bohb_seg.storage import run_clock;"
        "print(run_clock.seconds_since(run_clock.process_began()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert 0.5 <= float(done.stdout) < 30


def test_on_the_same_kernel_nobody_who_sets_the_time_of_day_matters(began, monkeypatch):
    monkeypatch.setattr(run_clock.time, "time", lambda: 5.0)
    assert run_clock.seconds_since(began) < 3600 * 24  # as old as this process
    assert run_clock.seconds_since({**began, "uptime": began["uptime"] - 90}) >= 90


def test_elsewhere_the_time_of_day_counts_and_downtime_with_it(began):
    elsewhere = {**began, "kernel": "another", "time": began["time"] - 1000}
    assert run_clock.seconds_since(elsewhere) >= 1000


def test_a_clock_that_was_set_back_makes_no_negative_time(began):
    assert run_clock.seconds_since({**began, "kernel": "", "time": began["time"] + 1e9}) == 0
