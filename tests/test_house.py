"""The plan of the package: who may import whom, and how large things may grow."""

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from graphlib import TopologicalSorter

import grimp
import pytest
from helpers.commands import ROOT

PACKAGE = ROOT / "bohb_seg"
FILES = sorted([*PACKAGE.rglob("*.py"), *(ROOT / "workers").glob("*.py")])
LONGEST_FUNCTION, LONGEST_CLASS, LONGEST_FILE = 40, 180, 350
FIRST_WORDS = re.compile(r"(What|Of|That|Those|Whose|Who)\b")
"""Docstrings that begin with one of these name nothing: say the noun."""


def definitions(file):
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node, node.end_lineno - node.lineno + 1


def name(file):
    return str(file.relative_to(ROOT))


def test_files_were_found():
    assert len(FILES) > 150


def test_the_root_of_the_package_fits_on_a_screen():
    entries = [each for each in PACKAGE.iterdir() if each.name != "__pycache__"]
    assert len(entries) <= 24


def test_no_module_imports_another_in_a_circle():
    """Neither for its types nor inside a function: grimp sees all imports."""
    graph = grimp.build_graph("bohb_seg")
    imports = {each: graph.find_modules_directly_imported_by(each) for each in graph.modules}
    assert len(imports) > 150
    TopologicalSorter(imports).prepare()  # raises CycleError, which names the circle


def test_the_contracts_do_not_grow_with_the_files():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    names = set(re.findall(r"bohb_seg[.\w]*|\b[a-z_]+\b(?= \||$)", str(contracts["contracts"])))
    assert len(names) <= 60, sorted(names)


@pytest.mark.parametrize("unplaced", [True, False])
def test_a_package_that_nobody_placed_fails(tmp_path, unplaced):
    shutil.copytree(PACKAGE, tmp_path / "bohb_seg", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    if unplaced:
        (tmp_path / "bohb_seg/attic").mkdir()
        (tmp_path / "bohb_seg/attic/__init__.py").touch()
    linter = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"]
    done = subprocess.run(
        [*linter, "--no-cache"], cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode != 0) == unplaced, done.stdout
    assert ("attic" in done.stdout) == unplaced


@pytest.mark.parametrize("file", FILES, ids=name)
def test_what_one_reads_at_a_time_is_short(file):
    assert len(file.read_text(encoding="utf-8").splitlines()) <= LONGEST_FILE
    for node, lines in definitions(file):
        longest = LONGEST_CLASS if isinstance(node, ast.ClassDef) else LONGEST_FUNCTION
        assert lines <= longest, f"{node.name}, line {node.lineno}: {lines} lines"


@pytest.mark.parametrize("file", FILES, ids=name)
def test_docstrings_begin_with_what_they_name(file):
    tree = ast.parse(file.read_text(encoding="utf-8"))
    nodes = [tree, *(node for node, _ in definitions(file))]
    firsts = [(ast.get_docstring(node) or "").partition("\n")[0] for node in nodes]
    assert not [first for first in firsts if FIRST_WORDS.match(first)]
