"""Every test of a contract fails for a plug-in that breaks this promise."""

import inspect
import subprocess

import numpy as np
import pytest

from bohb_seg.errors import BohbSegError, DataError, PluginError, SettingsError, SpaceError
from bohb_seg.plugins.hyperparameters import of_model
from bohb_seg.search.hyperband import Ladder
from bohb_seg.settings import DataSettings, TrainingSettings, WorkerSettings
from bohb_seg.testing.datasets import DatasetContract
from bohb_seg.testing.models import ModelContract
from bohb_seg.testing.optimizers import OptimizerContract
from bohb_seg.testing.spaces import DATA, SpaceContract
from bohb_seg.testing.workers import WorkerContract
from bohb_seg.worker import start


@pytest.fixture
def write(tmp_path):
    """Writes a plug-in."""

    def write(text: str) -> str:
        path = tmp_path / "mine.py"
        path.write_text(text)
        return str(path)

    return write


RAISED = {
    "test_the_default_configuration_is_legal": SpaceError,
    "test_training_understands_every_configuration": SettingsError,
    "test_suggestions_are_legal_and_plain": ValueError,
    "test_it_can_be_trained_on": DataError,
    "test_a_promoted_trial_goes_on": ZeroDivisionError,
    "test_it_can_be_built_with_every_choice_and_least_value": PluginError,
    "test_it_takes_as_many_bands_as_there_are": ValueError,
    "test_it_learns": ValueError,
    "test_its_file_loads_where_this_package_is_not": subprocess.CalledProcessError,
}
"""Errors by which a test fails that does not assert."""


def broken(contract, test, *arguments, **fixtures):
    """The test as pytest would call it must fail."""
    with pytest.raises(RAISED.get(test, AssertionError)):
        getattr(contract(), test)(*arguments, **fixtures)


def promises(contract):
    return {name for name, _ in inspect.getmembers(contract, inspect.isfunction) if "test" in name}


# --- spaces -----------------------------------------------------------------------------------

SPACES = {
    "test_the_default_configuration_is_legal": """
def space(facts):
    found = ConfigurationSpace({"batch_size": [4, 8]})
    found["batch_size"].default_value = 5
    return found
""",
    "test_configurations_are_plain_and_survive_json": """
class Number(int):
    pass
def space(facts):
    return ConfigurationSpace(space=[Constant("batch_size", Number(3))])
""",
    "test_the_same_data_have_the_same_space": """
import itertools
numbers = itertools.count(2)
def space(facts):
    return ConfigurationSpace({"batch_size": (1, next(numbers))})
""",
    "test_training_understands_every_configuration": """
def space(facts):
    return ConfigurationSpace({"batch_sizes": [4, 8]})
""",
}


@pytest.mark.parametrize("test", SPACES)
def test_a_space_that_breaks_a_promise(write, test):
    plugin = write(f"from ConfigSpace import *\n{SPACES[test]}")
    more = {"model": "unet"} if test.startswith("test_training") else {}
    broken(SpaceContract, test, plugin, DATA[0], **more)
    others = promises(SpaceContract) - SPACES.keys()
    assert others == {"test_the_space_survives_json"}


# --- optimizers ---------------------------------------------------------------------------------

HYPERBAND = """
import random
from bohb_seg.optimizers.hyperband import Hyperband
from bohb_seg.search.hyperband import Rung
from bohb_seg.trials import Suggestion
class Mine(Hyperband):
{change}
def build(space, ladder, seed):
    return Mine(space, ladder, seed)
"""
OPTIMIZERS = {
    "test_suggestions_are_legal_and_plain": (
        "    def suggest(self): return Suggestion({'c0': 3}, False)",
        ("counting",),
    ),
    "test_suggestions_repeat_themselves": (
        "    def suggest(self): return Suggestion({'c0': random.random()}, False)",
        ("counting",),
    ),
    "test_every_bracket_climbs_to_the_largest_budget": (
        "    def rungs(self, bracket): return (Rung(3.0, 9), Rung(1.0, 3))",
        (Ladder(1, 9, 3),),
    ),
    "test_observations_of_other_spaces_do_no_harm": (
        "    def observe(self, configuration, budget, loss): assert 'c3' in configuration",
        (),
    ),
    "test_a_whole_search_ends_and_repeats_itself": (
        "    def rungs(self, bracket): return (Rung(1.0, 9), Rung(9.0, random.randint(1, 9)))",
        (),
    ),
}


@pytest.mark.parametrize("test", OPTIMIZERS)
def test_an_optimizer_that_breaks_a_promise(write, test):
    change, arguments = OPTIMIZERS[test]
    broken(OptimizerContract, test, write(HYPERBAND.format(change=change)), *arguments)
    assert OPTIMIZERS.keys() == promises(OptimizerContract)


# --- data sets ----------------------------------------------------------------------------------

FOLDER = """
import dataclasses, random
from bohb_seg import plugins
def load(settings):
    found = plugins.call("datasets", "folder", settings)
    pairs = list(found.pairs)
    {change}
    return dataclasses.replace(found, pairs=tuple(pairs))
"""
DATASETS = {
    "test_it_finds_pairs_of_files": "pairs.reverse()",
    "test_every_image_has_a_mask_of_its_own": (
        "pairs[0] = dataclasses.replace(pairs[0], mask=pairs[1].mask)"
    ),
    "test_it_has_the_same_fingerprint_everywhere": "random.shuffle(pairs)",
    "test_it_can_be_trained_on": "del pairs[2:]",
}


@pytest.mark.parametrize("test", DATASETS)
def test_a_data_set_that_breaks_a_promise(write, tiles, test):
    plugin = f"{write(FOLDER.format(change=DATASETS[test]))}:{tiles.root}"
    settings = DataSettings(data=plugin, patch_size=16, cache_dir=tiles.cache)
    broken(DatasetContract, test, settings)
    assert DATASETS.keys() == promises(DatasetContract)


def test_a_data_set_that_returns_something_else(write, tmp_path):
    plugin = write("def load(settings): return []")
    settings = DataSettings(data=plugin, patch_size=16, cache_dir=tmp_path)
    with pytest.raises(BohbSegError, match=r"load\(\) must return .*Collection, not list"):
        DatasetContract().test_it_finds_pairs_of_files(settings)


# --- workers ------------------------------------------------------------------------------------

WORKER = """
import time
from hpbandster.core.worker import Worker
class Own(Worker):
    def facts(self): return {facts}
    def compute(self, config_id, config, budget, working_directory):
        {body}
"""
WORKERS = {
    "test_its_facts_are_text": ("{'fingerprint': 3}", "return {'loss': 1.0}"),
    "test_it_computes_a_loss": ("{}", "return {'loss': float('nan')}"),
    "test_its_result_survives_the_wire": ("{}", "return {'loss': 1.0, 'info': {'pair': (1, 2)}}"),
    "test_a_promoted_trial_goes_on": ("{}", "return {'loss': 1.0 / (budget - 3)}"),
}


@pytest.mark.parametrize("test", WORKERS)
def test_a_worker_that_breaks_a_promise(write, tmp_path, test):
    facts, body = WORKERS[test]
    plugin = write(WORKER.format(facts=facts, body=body))
    worker = start.build(
        start.load_worker_class(plugin), WorkerSettings(), TrainingSettings(), "contract"
    )
    more = () if test == "test_its_facts_are_text" else ("counting", tmp_path)
    broken(WorkerContract, test, worker, *more)
    assert WORKERS.keys() == promises(WorkerContract)


# --- models -------------------------------------------------------------------------------------

NET = """
import itertools
import keras
from keras import layers
HYPERPARAMETERS = {{
    "width": {{"default": 4, "range": ({least}, 64)}},
    "drop": {{"default": 0.5, "range": (0.0, 0.5), "value": True}},
}}
HALVINGS = 0
numbers = itertools.count()

@keras.saving.register_keras_serializable()
class Own(layers.Layer):
    def call(self, x):
        return x

def build(hyperparameters, *, classes, precision, seed, dropout{bands}):
    images = x = keras.Input((None, None, 3))
    initializer = keras.initializers.GlorotUniform(seed)
    width = hyperparameters["width"]
    x = layers.Conv2D(width, 3, padding="same", kernel_initializer=initializer, dtype=precision)(x)
    drop = dropout("drop", 1.0, precision)
    {change}
    x = layers.Conv2D(classes, 1, kernel_initializer=initializer, dtype=precision)(drop(x))
    output = layers.Softmax(dtype="float32")
    {ending}
    return keras.Model(images, output(x))
"""
KEPT = {"least": 1, "change": "", "ending": "", "bands": ""}
MODELS = {
    "test_it_gives_probabilities_for_images_of_several_sizes": {
        "ending": "output = layers.Activation('sigmoid', dtype='float32')"
    },
    "test_it_takes_as_many_bands_as_there_are": {"bands": ", bands=3"},
    "test_it_can_be_built_with_every_choice_and_least_value": {"least": 0},
    "test_the_seed_decides_the_weights": {
        "change": "initializer = keras.initializers.GlorotUniform(next(numbers))"
    },
    "test_it_gives_float32_also_when_it_computes_in_bfloat16": {
        "ending": "output = layers.Softmax(dtype=precision)"
    },
    "test_all_its_dropout_layers_are_made_by_the_given_function": {
        "change": "drop = layers.Dropout(0.5)"
    },
    "test_it_learns": {"ending": "x = keras.ops.stop_gradient(x)"},
    "test_its_file_loads_where_this_package_is_not": {"ending": "x = Own()(x)"},
}


@pytest.mark.training
@pytest.mark.parametrize("test", MODELS)
def test_a_model_that_breaks_a_promise(write, tmp_path, test):
    plugin = write(NET.format(**{**KEPT, **MODELS[test]}))
    more = {
        "test_it_gives_probabilities_for_images_of_several_sizes": (1, np.uint8),
        "test_it_can_be_built_with_every_choice_and_least_value": (of_model(tmp_path / "mine.py"),),
        "test_it_learns": (None,),
        "test_its_file_loads_where_this_package_is_not": (tmp_path,),
    }
    broken(ModelContract, test, plugin, *more.get(test, ()))
    others = promises(ModelContract) - MODELS.keys()
    assert others == {"test_its_defaults_are_allowed"}  # a file that breaks it cannot be read


@pytest.mark.training
def test_a_model_that_keeps_its_promises(write, tmp_path):
    plugin = write(NET.format(**KEPT))
    contract = ModelContract()
    contract.test_it_gives_probabilities_for_images_of_several_sizes(plugin, 2, np.float32)
    contract.test_all_its_dropout_layers_are_made_by_the_given_function(plugin)
    contract.test_the_seed_decides_the_weights(plugin)
    contract.test_it_learns(plugin, micro_batch=2)
    contract.test_it_gives_float32_also_when_it_computes_in_bfloat16(plugin)
