"""The contract of a search space: a ``space()``, or a file of any format that ``--space`` takes."""

import json
from collections.abc import Iterator

import pytest
from ConfigSpace import Configuration as Point
from ConfigSpace import ConfigurationSpace

from bohb_seg import plugins
from bohb_seg.plugins import hyperparameters
from bohb_seg.search.data_facts import Facts
from bohb_seg.spaces.formats import configspace, loading
from bohb_seg.trials import Configuration

DRAWS = 200
"""Random configurations that stand for the whole space."""
DATA = [
    Facts(patch_size=64, patches=96, classes=5),
    Facts(patch_size=256, patches=1000, classes=6),
    Facts(patch_size=512, patches=20, classes=2),
]
"""Data sets that a ``space(facts)`` must suit: large and small ones."""
PLAIN = (bool, int, float, str, type(None))


class SpaceContract:
    """Tests of one space."""

    @pytest.fixture
    def model(self) -> str | None:
        """The model that the space is for; None: its worker has hyperparameters of its own."""
        return "unet"

    @pytest.mark.parametrize("facts", DATA, ids=str)
    def test_the_default_configuration_is_legal(self, plugin: str, facts: Facts) -> None:
        loading.load(plugin, facts).get_default_configuration().check_valid_configuration()

    @pytest.mark.parametrize("facts", DATA, ids=str)
    def test_configurations_are_plain_and_survive_json(self, plugin: str, facts: Facts) -> None:
        space = loading.load(plugin, facts)
        for configuration in drawn(space):
            assert {type(value) for value in configuration.values()} <= {*PLAIN}
            again = json.loads(json.dumps(configuration))
            assert configspace.plain(Point(space, values=again)) == configuration

    def test_the_space_survives_json(self, plugin: str) -> None:
        space = loading.load(plugin)
        again = json.loads(json.dumps(configspace.to_json(space)))
        assert configspace.from_json(again) == space

    @pytest.mark.parametrize("facts", DATA, ids=str)
    def test_the_same_data_have_the_same_space(self, plugin: str, facts: Facts) -> None:
        assert loading.load(plugin, facts) == loading.load(plugin, facts)

    @pytest.mark.parametrize("facts", DATA, ids=str)
    def test_training_understands_every_configuration(
        self, plugin: str, facts: Facts, model: str | None
    ) -> None:
        if model is None:
            pytest.skip("its worker does not train with the settings of the run")
        declared = hyperparameters.of_model(plugins.file_of("models", model))
        for configuration in drawn(loading.load(plugin, facts)):
            hyperparameters.check_values(configuration, declared)
            hyperparameters.check_patch_size(facts.patch_size, declared, configuration)


def drawn(space: ConfigurationSpace) -> Iterator[Configuration]:
    """The default configuration, then the same random ones at every call."""
    yield configspace.plain(space.get_default_configuration())
    space.seed(0)
    yield from map(configspace.plain, space.sample_configuration(DRAWS))
