"""A sample of single wrong bits in every kind of file of a run directory."""

import re

import pytest
from helpers.commands import benchmark

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
    said = benchmark("flips", "--toy", "--flips", 5, "--processes", 2, "--keep", tmp_path)
    rows = re.findall(
        r"^(?:finished|killed|log alone) +([a-z ]+?)  +(\S+)  +\d", said, re.MULTILINE
    )
    assert set(rows) == LOOKED_AT, said
    assert re.search("^finished: no command reads .* results.pkl$", said, re.MULTILINE)
