"""Every model of the package keeps the contract."""

import pytest

from bohb_seg import plugins
from bohb_seg.testing.models import ModelContract

NAMES = plugins.names("models")


@pytest.mark.training
@pytest.mark.parametrize("plugin", NAMES)
class TestModels(ModelContract):
    pass


def test_all_of_them_were_tried(request):
    items = [item for item in request.session.items if item.cls is TestModels]
    assert {item.callspec.params["plugin"] for item in items} == {"unet"}
    # Two presets, six kinds of images, two sizes of micro-batches, six more.
    assert len(items) == len(NAMES) * 16
