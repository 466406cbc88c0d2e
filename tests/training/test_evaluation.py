import json
import subprocess
import sys

import numpy as np
import pytest
from helpers import scenes
from helpers.commands import ROOT

from bohb_seg.errors import SettingsError
from bohb_seg.training import checkpoints, evaluation, objectives, trainer
from bohb_seg.training.evaluation import evaluate
from bohb_seg.training.job import checkpoint_key, recipe_of
from bohb_seg.training.seeds import epoch_seeds
from bohb_seg.trials import Info, misfits

pytestmark = pytest.mark.training

TINY = {"batch_size": 4, "base_filters": 8, "depth": 2, "learning_rate": 3e-3, "activation": "relu"}
EVERYTHING = {
    **TINY,
    "optimizer": "adamw",
    "weight_decay": 1e-3,
    "schedule": "cosine",
    "norm": "batch",
    "dropout": 0.3,
    "loss": "dice+focal",
    "augmentation": 0.5,
}


def train(settings, data, directory, configuration=TINY, budget=1.0, trial=(0, 0, 4)):
    return evaluate(settings, data, scenes.job(trial, configuration, budget, directory))


def test_three_epochs_and_six_more_are_nine(settings, data, tmp_path):
    in_one_go = train(settings(), data, tmp_path / "a", EVERYTHING, 9)
    first = train(settings(), data, tmp_path / "b", EVERYTHING, 3.33)
    second = train(settings(), data, tmp_path / "b", EVERYTHING, 9)
    assert first["info"]["epochs_trained"] == 3
    kept = ("epochs", "epochs_trained", "continued_from")
    assert [second["info"][name] for name in kept] == [9, 6, 3]
    for name, curve in in_one_go["info"]["curves"].items():
        if name != "seconds":
            assert second["info"]["curves"][name] == pytest.approx(curve, abs=1e-5), name
    assert second["loss"] == pytest.approx(in_one_go["loss"], abs=1e-5)
    assert second["info"]["averaged"] is in_one_go["info"]["averaged"]


def test_a_result_that_was_lost_is_scored_again_and_not_trained(settings, data, tmp_path):
    first = train(settings(), data, tmp_path)
    again = train(settings(), data, tmp_path)
    assert again["loss"] == pytest.approx(first["loss"], abs=1e-6)
    assert (again["info"]["epochs"], again["info"]["epochs_trained"]) == (1, 0)


def test_info_is_complete_and_plain(settings, data, tmp_path):
    result = train(settings(objective="milestone3"), data, tmp_path, {**TINY, "val_batch_size": 2})
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert not list(misfits(result["info"]))
    empty = Info().plain()
    assert {name for name, value in result["info"].items() if value != empty[name]} == {
        *("epochs", "epochs_trained", "continued_from", "curves", "seconds"),
        *("miou", "iou", "accuracy", "precision", "recall", "dice", "focal"),
        *("images_per_second", "peak_memory_mb", "device", "precision_policy", "parameters"),
        *("loss_at_own_batch", "micro_batch", "averaged"),
    }
    assert result["info"]["curves"].keys() == {
        *("epoch", "train_loss", "validation_loss", "validation_miou", "validation_accuracy"),
        *("learning_rate", "seconds"),
    }
    assert result["info"]["stopped"] is None
    assert result["info"]["micro_batch"] == 4
    assert 0.8 < result["info"]["loss_at_own_batch"] != result["loss"]


def test_divergence_stops_the_evaluation(settings, data, tmp_path):
    wild = {**TINY, "optimizer": "sgd", "learning_rate": 1e18, "loss": "dice+ce"}
    result = train(settings(), data, tmp_path, wild, 20)
    assert not np.isfinite(result["loss"])
    assert result["info"]["stopped"] == "diverged"
    assert result["info"]["epochs"] < 20
    json.dumps(result["info"], allow_nan=False)
    assert not list(tmp_path.rglob("*.npz"))


def test_a_configuration_that_cannot_be_trained_is_one_sentence(settings, data, tmp_path):
    with pytest.raises(SettingsError, match="32 cannot be halved 6 times"):
        train(settings(), data, tmp_path, {"depth": 6})
    with pytest.raises(SettingsError, match="'colour'"):
        train(settings(), data, tmp_path, {"colour": "red"})


def test_bfloat16_trains(settings, data, tmp_path):
    result = train(settings(precision="bfloat16"), data, tmp_path, {**TINY, "norm": "group"})
    assert np.isfinite(result["loss"])
    assert result["info"]["precision_policy"] == "mixed_bfloat16"


def test_a_model_of_ones_own_is_searched_by_its_own_hyperparameters(settings, data, tmp_path):
    mine = settings(model=str(ROOT / "tests/helpers/models/two_rates.py"), patch_size=32)
    step = {"batch_size": 4, "learning_rate": 3e-3, "widths": "rising", "late": 0.2}
    first = train(mine, data, tmp_path, step, 1)
    second = train(mine, data, tmp_path, step, 2)
    assert second["info"]["continued_from"] == 1
    assert np.isfinite(second["loss"])
    assert first["info"]["parameters"] == 224 + 1168 + 435
    with pytest.raises(SettingsError, match=r"'activation'.*the model two-rates.*early"):
        train(mine, data, tmp_path, TINY)


JUMPS = {**TINY, "learning_rate": 0.02, "schedule": "constant", "batch_size": 1}
"""A rate at which it is chance how good the last weights are."""


@pytest.mark.parametrize(("trial", "epochs"), [((0, 0, 4), 6), ((-1, 1, 0), 7), ((-1, 1, 0), 8)])
def test_the_better_of_last_and_averaged_weights_count(settings, data, tmp_path, trial, epochs):
    chosen = settings()
    result = train(chosen, data, tmp_path, JUMPS, epochs, trial)
    job = scenes.job(trial, JUMPS, epochs, tmp_path)
    found = checkpoints.load(job.checkpoints, checkpoint_key(chosen, data, job), epochs).checkpoint
    last, averaged = (
        validation_loss(chosen, data, job, weights) for weights in (found.weights, found.averages)
    )
    assert last == pytest.approx(result["info"]["curves"]["validation_loss"][-1], abs=1e-6)
    assert result["info"]["averaged"] is (averaged < last)
    assert result["loss"] == pytest.approx(min(last, averaged), abs=1e-5)
    again = train(chosen, data, tmp_path, JUMPS, epochs, trial)
    assert again["info"]["epochs_trained"] == 0
    assert again["info"]["averaged"] is result["info"]["averaged"]
    assert again["loss"] == pytest.approx(result["loss"], abs=1e-6)


def validation_loss(chosen, data, job, weights):
    spec = evaluation._spec(chosen, data, job, recipe_of(chosen, job))
    here = trainer.Trainer(spec, epoch_seeds(0, job.config_id, 0))
    here._compiled.model.set_weights(weights)
    loss = objectives.of(chosen.objective, here.score(data.validation))
    here.close()
    return loss


def test_the_reports_had_no_averages(settings, data, tmp_path):
    result = train(settings(preset="milestone3"), data, tmp_path, JUMPS, 6)
    assert result["info"]["averaged"] is None
    assert result["loss"] == result["info"]["curves"]["validation_loss"][-1]
    with np.load(next(tmp_path.rglob("*.npz"))) as checkpoint:
        assert not [name for name in checkpoint.files if name.startswith("average")]


def test_a_fold_is_scored_by_group_and_leaves_no_files(settings, data, tmp_path):
    result = train(settings(final_folds=3), data, tmp_path, TINY, 2, (-3, 1, 4))
    info = result["info"]
    assert set(info["parts"]) == {"validation", "test"}
    assert info["artefacts"] is None
    assert not (tmp_path / "comparison").exists()
    assert not list(misfits(info))
    assert result["loss"] == info["parts"]["validation"]["loss"]
    test = info["parts"]["test"]
    assert list(test["groups"]) == ["0.png", "1.png", "2.png"]
    total = np.sum([each["confusion"] for each in test["groups"].values()], axis=0)
    assert total.tolist() == test["confusion"]
    assert len({each["loss"] for each in test["groups"].values()}) == 3


LOAD_IN_PLAIN_KERAS = """
import sys
import keras, numpy as np
folder = sys.argv[1]
model = keras.saving.load_model(folder + "/model.keras")
validation = np.load(folder + "/../validation.npz")
predictions = np.load(folder + "/predictions.npz")
for images in validation["images"], validation["images"].astype("float32"):
    scores = model.predict(images, verbose=0)
    assert (scores.argmax(-1) == predictions["validation"]).mean() > 0.999, scores
assert "bohb_seg" not in sys.modules
"""


@pytest.mark.parametrize("preset", ["default", "milestone3"])
def test_artefacts_of_the_comparison_open_in_plain_keras(settings, data, tmp_path, preset):
    chosen = settings(preset=preset, precision="bfloat16")
    result = train(chosen, data, tmp_path, TINY, 2, trial=(-1, 1, 0))
    info = result["info"]
    folder = tmp_path / info["artefacts"]
    assert list(info["parts"]["test"]["groups"]) == ["0.png", "1.png", "2.png"]
    assert folder == tmp_path / "comparison" / "incumbent-0"
    assert result["loss"] == info["parts"]["validation"]["loss"]
    assert {name: np.sum(part["confusion"]) for name, part in info["parts"].items()} == {
        "train": 10 * 1020,
        "validation": 5 * 1020,
        "test": 3 * 1020,
    }
    with np.load(folder / "predictions.npz") as predictions:
        assert set(predictions.files) == {
            "validation",
            *(f"{part}_{side}" for part in info["parts"] for side in ("positive", "negative")),
        }
        assert predictions["test_positive"].shape == (3, 1024)
    subprocess.run([sys.executable, "-c", LOAD_IN_PLAIN_KERAS, str(folder)], check=True)


def test_arms_share_their_seeds_and_seeds_differ(settings, data, tmp_path):
    losses = [
        train(settings(), data, tmp_path, trial=trial)["info"]["curves"]["train_loss"]
        for trial in ((-1, 0, 1), (-1, 1, 1), (-1, 0, 2))
    ]
    assert losses[0] == pytest.approx(losses[1], abs=1e-6)
    assert losses[0] != pytest.approx(losses[2], abs=1e-6)


# --- a process that trained before ------------------------------------------------------------

OTHERS = [
    {**EVERYTHING, "optimizer": "adam", "learning_rate": 1.0, "schedule": "constant"},
    {**EVERYTHING, "dropout": 0.5, "loss": "ce", "augmentation": 1.0, "batch_size": 3},
    {**TINY, "optimizer": "sgd", "learning_rate": 1e18, "loss": "dice+ce"},
]
"""Of the shape that is asked for next, with other values; and one that diverges."""


def test_nothing_is_left_of_earlier_evaluations(settings, data, tmp_path):
    trainer.release()
    fresh = train(settings(), data, tmp_path / "fresh", EVERYTHING, 3)
    for number, other in enumerate(OTHERS):
        train(settings(), data, tmp_path / str(number), other, 2)
    later = train(settings(), data, tmp_path / "later", EVERYTHING, 3)
    for name, curve in fresh["info"]["curves"].items():
        if name != "seconds":
            assert later["info"]["curves"][name] == pytest.approx(curve, abs=1e-5), name
    assert later["loss"] == pytest.approx(fresh["loss"], abs=1e-5)
