"""A short chaos: faults of every kind at random moments, and the run comes to the same."""

import pytest
from helpers.commands import benchmark

pytestmark = pytest.mark.faults


def test_a_run_under_chaos_comes_to_the_same_as_an_undisturbed_one(tmp_path):
    flags = ("--seconds", 70, "--workers", 4, "--seed", 1, "--keep", tmp_path)
    assert "NOT EQUAL" not in benchmark("chaos", *flags)
