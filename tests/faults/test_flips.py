"""A sample of single wrong bits in every kind of file of a run directory."""

import re
import subprocess
import sys

import pytest
from helpers.commands import ROOT
from helpers.with_us import with_us

pytestmark = pytest.mark.faults

LOOKED_AT = {
    *(("report", "events.jsonl"), ("resume", "events.jsonl"), ("repair", "events.jsonl")),
    *(("warm start", "events.jsonl"), ("resume", "settings.yaml"), ("resume", "master.json")),
    *(("resume", ".token"), ("join", "nameserver.json")),
    *(("warm start", "results.json"), ("warm start", "configs.json")),
}
"""Commands and the files that they read. A toy has neither model nor arrays, and its checkpoints
are names alone; tests/test_files.py, tests/report/ and tests/training/ turn bits of those."""


def test_a_wrong_bit_is_a_sentence_or_no_matter(tmp_path):
    flags = ("--toy", "--flips", "5", "--processes", "2", "--keep", str(tmp_path))
    done = subprocess.run(
        [*with_us(), sys.executable, "-m", "benchmarks.flips", *flags],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-20000:]
    rows = re.findall(
        r"^(?:finished|killed|log alone) +([a-z ]+?)  +(\S+)  +\d", done.stdout, re.MULTILINE
    )
    assert set(rows) == LOOKED_AT, done.stdout
    assert re.search("^finished: no command reads .* results.pkl$", done.stdout, re.MULTILINE)
