"""Every worker of the package keeps the contract."""

import pytest

from bohb_seg import plugins
from bohb_seg.datasets import synthetic
from bohb_seg.settings import TrainingSettings
from bohb_seg.testing.workers import WorkerContract

NAMES = plugins.names("workers")


@pytest.mark.training
@pytest.mark.parametrize("plugin", NAMES)
class TestWorkers(WorkerContract):
    @pytest.fixture
    def space(self, plugin):
        return {"segmentation": "quick", "toy": "counting"}[plugin]

    @pytest.fixture
    def settings(self, tmp_path):
        place = tmp_path / "scenes"
        synthetic.make(place, tiles=4, height=32, width=32)
        return TrainingSettings(data=str(place), patch_size=32, cache_dir=tmp_path / "cache")


def test_all_of_them_were_tried(request):
    items = [item for item in request.session.items if item.cls is TestWorkers]
    assert {item.callspec.params["plugin"] for item in items} == {"segmentation", "toy"}
    assert len(items) == len(NAMES) * 4
