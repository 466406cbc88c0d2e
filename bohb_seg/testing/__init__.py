"""Contracts of the plug-ins, as pytest tests for files of your own.

A contract is a class of tests about one ``plugin``: a name, or a path as the command line takes it.
If you have a test suite, subclass the contract there and say which plug-ins it is about::

    import pytest
    from bohb_seg.testing.models import ModelContract

    @pytest.mark.parametrize("plugin", ["nets/mine.py"])
    class TestMine(ModelContract):
        pass

If you have none, run ``python -m bohb_seg.testing --model nets/mine.py``. Only this package needs
pytest; it follows the tests that Optuna ships for storages (``optuna.testing.pytest_storages``).
"""

from pathlib import Path

import pytest

_FILES = Path(__file__).parent.glob("[a-z]*.py")
CONTRACTS = tuple(f"{__name__}.{file.stem}" for file in _FILES)
"""The modules of this package; pytest shows the values of their failed assertions if it is told of
them before they are imported."""

pytest.register_assert_rewrite(*CONTRACTS)
