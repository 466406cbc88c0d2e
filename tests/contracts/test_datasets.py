"""Every data set of the package keeps the contract."""

import pytest

from bohb_seg import plugins
from bohb_seg.datasets import synthetic
from bohb_seg.testing.datasets import DatasetContract

NAMES = plugins.names("datasets")


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    place = tmp_path_factory.mktemp("data") / "scenes"
    synthetic.make(place, tiles=4, height=32, width=32)
    return place


@pytest.mark.parametrize("name", NAMES)
class TestDatasets(DatasetContract):
    @pytest.fixture
    def plugin(self, name, scenes):
        return f"{name}:{scenes}" if name == "folder" else name


def test_all_of_them_were_tried(request):
    items = [item for item in request.session.items if item.cls is TestDatasets]
    assert {item.callspec.params["name"] for item in items} == {"folder", "synthetic"}
    assert len(items) == len(NAMES) * 4
