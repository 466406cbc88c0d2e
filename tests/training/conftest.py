import functools
import importlib.util
import sys
from pathlib import Path

import pytest

from bohb_seg import devices
from bohb_seg.datasets import Audit

if "keras" not in sys.modules:
    devices.prepare("cpu", threads=2)

_spec = importlib.util.spec_from_file_location("scenes", Path(__file__).with_name("scenes.py"))
scenes = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(scenes)


@pytest.fixture(scope="session")
def data():
    audit = Audit(
        images=18,
        groups=3,
        sizes={"32x32": 18},
        palette_masks=0,
        unknown={},
        unknown_share=0.0,
        ignored_share=0.0,
        frequencies={},
        duplicates=(),
        warnings=(),
    )
    return scenes.data(audit)


@pytest.fixture
def settings(tmp_path):
    """Makes settings; a function, because tests change single ones."""
    return functools.partial(scenes.settings, cache_dir=tmp_path / "cache")
