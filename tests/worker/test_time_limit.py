"""An evaluation that takes too long is asked to end, then interrupted, then ended."""

import subprocess
import sys
import time

import pytest

from bohb_seg.training.interruption import Interrupted, Interruption
from bohb_seg.worker.time_limit import TimeLimit

SHORT = 0.05 / 60
"""Minutes."""
LONG = 30.0
"""Seconds."""


def test_a_program_that_asks_is_told_why():
    interruption = Interruption()
    with TimeLimit(SHORT, interruption, to_ask=LONG) as limit:
        while not interruption.reason:
            time.sleep(0.01)
    assert limit.is_over
    assert interruption.reason.startswith("it took longer than --max-minutes-per-evaluation 0.0008")


def test_a_program_that_does_not_ask_is_interrupted_wherever_it_is():
    limit = TimeLimit(SHORT, Interruption(), to_ask=0.05)
    began = time.monotonic()
    with pytest.raises(Interrupted, match="took longer"), limit:
        time.sleep(LONG)
    assert limit.is_over
    assert time.monotonic() - began < LONG


@pytest.mark.parametrize("minutes", [None, 10])
def test_a_program_that_ends_in_time_is_left_in_peace(minutes):
    interruption = Interruption()
    with TimeLimit(minutes, interruption) as limit:
        pass
    assert (limit.is_over, interruption.reason) == (False, "")


BEGIN = """
import re, time
from bohb_seg.training.interruption import Interruption
from bohb_seg.worker.time_limit import TimeLimit

with TimeLimit(0.001, Interruption(), to_ask=0.05, to_hear=0.05):
"""
DEAF = """
    while True:
        try:
            time.sleep(100)
        except BaseException:
            pass
"""
HOLDS_PYTHONS_LOCK = """
    re.match("(a+)+$", 60 * "a" + "b")
"""


@pytest.mark.parametrize("program", [BEGIN + DEAF, BEGIN + HOLDS_PYTHONS_LOCK])
def test_a_program_that_does_not_hear_ends_with_its_process(program):
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=LONG
    )
    assert done.returncode == 1
    assert "Timeout (0:00:00" in done.stderr
