import functools
import sys

import pytest
from helpers import scenes

from bohb_seg.data.audit import Audit
from bohb_seg.training import devices

if "keras" not in sys.modules:
    devices.prepare("cpu", threads=2)


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
