"""Every file of a plug-in folder keeps the promises of its kind."""

import ConfigSpace
import numpy as np
import pytest
from helpers import small_network as small
from hypothesis import given, settings
from hypothesis import strategies as st

from bohb_seg import plugins
from bohb_seg.errors import UnknownPluginError
from bohb_seg.search.data_facts import Facts
from bohb_seg.search.hyperband import Ladder
from bohb_seg.spaces.formats import configspace, loading

LADDER = Ladder(1, 9, 3)
SPACES = plugins.names("spaces")
OPTIMIZERS = plugins.names("optimizers")
MODELS = plugins.names("models")
DATASETS = plugins.names("datasets")


def test_all_were_found():
    assert set(SPACES) >= {"counting", "default", "milestone3-bohb", "milestone3-hyperband"}
    assert OPTIMIZERS == ("bohb", "hyperband", "random")
    assert "unet" in MODELS
    assert "synthetic" in DATASETS


@pytest.mark.parametrize("kind", sorted(plugins.KINDS))
def test_an_unknown_name_lists_the_known_ones(kind):
    with pytest.raises(UnknownPluginError, match=", ".join(plugins.names(kind))):
        plugins.find(kind, "no-such-thing")


@pytest.mark.parametrize("name", SPACES)
def test_a_space_has_a_legal_default_and_survives_json(name):
    space = loading.load(name)
    assert isinstance(space, ConfigSpace.ConfigurationSpace)
    space.get_default_configuration().check_valid_configuration()
    assert configspace.from_json(configspace.to_json(space)) == space


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_an_optimizer_suggests_legal_configurations_and_repeats_itself(optimizer, name):
    first, second = (_suggestions(optimizer, name) for _ in range(2))
    assert first == second
    space = loading.load(name)
    for configuration in first:
        ConfigSpace.Configuration(space, configuration).check_valid_configuration()


def _suggestions(optimizer: str, name: str) -> list[object]:
    searcher = plugins.find("optimizers", optimizer).build(loading.load(name), LADDER, 3)
    losses = np.random.default_rng(0)
    found = []
    for number in range(40):
        configuration = searcher.suggest().configuration
        searcher.observe(configuration, 9.0, None if number % 7 == 0 else losses.random())
        found.append(configuration)
    return found


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_bracket_ends_at_the_largest_budget(optimizer):
    searcher = plugins.find("optimizers", optimizer).build(loading.load("counting"), LADDER, 0)
    for bracket in range(6):
        rungs = searcher.rungs(bracket)
        assert rungs[-1].budget == LADDER.max_budget
        assert [r.trials for r in rungs] == sorted((r.trials for r in rungs), reverse=True)


@pytest.mark.parametrize("name", sorted(set(SPACES) - {"counting"}))
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
