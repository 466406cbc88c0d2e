"""A short chaos: faults of every kind at random moments, and the run comes to the same."""

import subprocess
import sys

import pytest
from helpers.commands import ROOT
from helpers.with_us import with_us

pytestmark = pytest.mark.faults


def test_a_run_under_chaos_comes_to_the_same_as_an_undisturbed_one(tmp_path):
    flags = ("--seconds", "70", "--workers", "4", "--seed", "1", "--keep", str(tmp_path))
    done = subprocess.run(
        [*with_us(), sys.executable, "-m", "benchmarks.chaos", *flags],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-20000:]
    assert "NOT EQUAL" not in done.stdout
