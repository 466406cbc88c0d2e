"""Every optimizer of the package keeps the contract."""

import pytest

from bohb_seg import plugins
from bohb_seg.testing.optimizers import LADDERS, SPACES, OptimizerContract

NAMES = plugins.names("optimizers")
ALL = "bohb", "bohb-kde", "hyperband", "random"


@pytest.mark.parametrize("plugin", NAMES)
class TestOptimizers(OptimizerContract):
    pass


def test_all_of_them_were_tried(request):
    items = [item for item in request.session.items if item.cls is TestOptimizers]
    assert {item.callspec.params["plugin"] for item in items} == set(ALL)
    assert len(items) == len(NAMES) * (2 * len(SPACES) + len(LADDERS) + 2)
    assert len(SPACES) >= 5
