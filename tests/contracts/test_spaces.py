"""Every search space of the package keeps the contract, and suits the models it is for."""

import pytest
from helpers import small_network as small
from hypothesis import given, settings
from hypothesis import strategies as st

from bohb_seg import plugins
from bohb_seg.search.data_facts import Facts
from bohb_seg.spaces.formats import configspace, loading
from bohb_seg.testing.spaces import SpaceContract

NAMES = plugins.names("spaces")
OF_OTHERS = {"counting"}
"""Spaces of workers that do not train with the settings of the run."""


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("plugin", NAMES)
class TestSpaces(SpaceContract):
    @pytest.fixture
    def model(self, plugin):
        return None if plugin in OF_OTHERS else "unet"


def test_all_of_them_were_tried(request):
    tried = [item.callspec.params["plugin"] for item in request.session.items if belongs(item)]
    assert set(tried) == {"counting", "default", "milestone3-bohb", "milestone3-hyperband", "quick"}
    # Four tests on three data sets each, and one.
    assert len(tried) == len(NAMES) * 13


def belongs(item):
    return item.cls is TestSpaces


@pytest.mark.parametrize("name", sorted({*NAMES} - OF_OTHERS))
@settings(max_examples=40, deadline=None)
@given(
    facts=st.builds(
        Facts,
        patch_size=st.integers(1, 64).map(lambda sixteenths: 16 * sixteenths),
        patches=st.integers(1, 1_000_000),
        classes=st.integers(1, 50),
    )
)
def test_training_understands_every_configuration_for_all_data(name, facts):
    space = loading.load(name, facts)
    space.seed(0)
    for configuration in [space.get_default_configuration(), *space.sample_configuration(30)]:
        depth = small.recipe(**configspace.plain(configuration)).model["depth"]
        assert facts.patch_size % 2**depth == 0
