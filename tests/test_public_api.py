"""The public API: small, typed, and free of charge until a name is used."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import bohb_seg

PACKAGE = Path(bohb_seg.__file__).parent
HEAVY = ("keras", "tensorflow", "jax", "Pyro4", "ConfigSpace", "pydantic", "click", "numpy")


@pytest.mark.parametrize("name", bohb_seg.__all__)
def test_a_public_name_is_there(name):
    assert getattr(bohb_seg, name) is not None
    assert name in dir(bohb_seg)


def test_type_checkers_are_told_the_same_names_and_modules():
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    assert ast.unparse(block.test) == "TYPE_CHECKING"
    told = {alias.name: node.module for node in block.body for alias in node.names}
    assert told == bohb_seg._HOMES
    assert sorted(told) == bohb_seg.__all__
    assert (PACKAGE / "py.typed").exists()


def test_an_unknown_name_is_said_as_python_says_it():
    with pytest.raises(AttributeError, match="module 'bohb_seg' has no attribute 'Nothing'"):
        _ = bohb_seg.Nothing


def test_modules_are_still_found_below_the_package():
    assert importlib.import_module("bohb_seg.trials") is bohb_seg.trials


def test_it_knows_its_version():
    assert bohb_seg.__version__.count(".") == 2


def test_importing_it_imports_nothing_heavy():
    program = f"import bohb_seg, sys; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
