"""The notebooks of examples/ run, and what they show is small and true."""

import re

import nbformat
import pytest
from helpers import notebook
from helpers.commands import ROOT
from helpers.pages import lines, misunderstood

NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))
LARGEST = 500_000
"""Bytes of a notebook with its outputs."""


def test_there_is_one():
    assert NOTEBOOKS


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
class TestNotebook:
    def test_it_is_small_and_names_no_place_of_a_machine(self, file):
        assert file.stat().st_size < LARGEST
        assert re.findall(r"/home/|/tmp/|/root/", file.read_text()) == []

    def test_it_was_executed_from_start_to_end(self, file):
        cells = [c for c in nbformat.read(file, 4).cells if c.cell_type == "code"]
        assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))

    def test_commands_understand_what_it_tells(self, file, tmp_path):
        page = tmp_path / "page.md"
        page.write_text(notebook.shell(nbformat.read(file, 4)))
        told = list(lines(page))
        assert told
        assert misunderstood(told) == []

    @pytest.mark.loopback
    @pytest.mark.training
    def test_it_runs_and_shows_what_it_showed(self, file):
        before, now = nbformat.read(file, 4), notebook.executed(file)
        assert shown(notebook.without_noise(now)) == shown(before)


def shown(executed):
    """The kinds of each cell's outputs: numbers differ from machine to machine."""
    code = [cell for cell in executed.cells if cell.cell_type == "code"]
    return [[sorted(o.get("data", {"text": ""})) for o in cell.outputs] for cell in code]
