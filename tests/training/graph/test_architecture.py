"""Models whose hyperparameters have nothing in common with those of the U-Net."""

import numpy as np
import pytest
from helpers import small_network as small
from helpers.commands import ROOT

from bohb_seg.errors import PluginError
from bohb_seg.plugins import hyperparameters
from bohb_seg.training.recipe import as_json, parse

pytestmark = pytest.mark.training

MODELS = ROOT / "tests/helpers/models"
STEP = {"batch_size": 4, "optimizer": "sgd", "learning_rate": 0.5, "loss": "ce"}


def trainer(model, micro=None, **configuration):
    from bohb_seg.training.trainer import Trainer, TrainingSpec, architecture

    declaration = hyperparameters.of_model(MODELS / model)
    recipe = parse({**STEP, **configuration}, declaration)
    found = architecture(str(MODELS / model), declaration)
    spec = TrainingSpec(recipe, found, small.CLASSES, "float32", small.PATCHES, small.HORIZON)
    return Trainer(spec, small.seeds(0), micro)


def trained(here):
    data = small.part()
    here.epoch(data, small.seeds(1))
    weights = small.weights(here)
    here.close()
    return weights


@pytest.mark.parametrize(
    ("model", "configuration"), [("two_rates.py", {"early": 0.0}), ("bare.py", {})]
)
def test_a_model_trains_by_its_own_hyperparameters_in_parts_and_whole(model, configuration):
    before = small.weights(trainer(model, **configuration))
    whole = trained(trainer(model, **configuration))
    parts = trained(trainer(model, 2, **configuration))
    assert np.abs(whole - before).max() > 1e-3
    np.testing.assert_allclose(parts, whole, atol=5e-5)


def test_configurations_share_a_compiled_model_unless_a_rate_is_zero_in_one_of_them():
    def compiled(early, late):
        here = trainer("two_rates.py", early=early, late=late)
        found = here._compiled
        here.close()
        return found

    assert compiled(0.1, 0.2) is compiled(0.5, 0.9)
    assert compiled(0.1, 0.0) is not compiled(0.1, 0.2)


def test_each_rate_is_a_value_of_its_own():
    rates = ((0.1, 0.2), (0.1, 0.8), (0.8, 0.2))
    low, late, early = (
        trained(trainer("two_rates.py", early=first, late=second)) for first, second in rates
    )
    for one, other in ((low, late), (low, early), (late, early)):
        assert np.abs(one - other).max() > 1e-3


def test_a_recipe_names_both_halves_of_its_hyperparameters():
    facts = as_json(trainer("two_rates.py", widths="rising", batch_size=3)._recipe)
    assert (facts["widths"], facts["early"], facts["batch_size"]) == ("rising", 0.1, 3)
    assert "depth" not in facts


def test_a_changed_file_is_another_architecture_and_its_mistake_one_sentence(tmp_path):
    from bohb_seg.training.trainer import TrainingSpec, architecture

    file = tmp_path / "mine.py"
    found = []
    for mistake in ("", "    classes = classes / 0\n"):
        head, _, body = (MODELS / "bare.py").read_text().partition("    assert")
        file.write_text(f"{head}{mistake}    assert{body}")
        declaration = hyperparameters.of_model(file)
        found.append(architecture(str(file), declaration))
    assert found[0] != found[1]
    spec = TrainingSpec(parse({}, declaration), found[1], 3, "float32", 10, 9)
    with pytest.raises(PluginError, match=r"--model .*mine.py fails in line 10: ZeroDivision"):
        spec.build(0)
