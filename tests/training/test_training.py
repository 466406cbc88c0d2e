import numpy as np
import pytest

from bohb_seg.recipe import parse
from bohb_seg.seeds import epoch_seeds

pytestmark = pytest.mark.training

PATCHES, HORIZON, BATCH = 10, 9, 4
STEPS = 27  # three batches an epoch, the last one smaller


def training(**configuration):
    from bohb_seg.training import Assignment, Training

    recipe = parse({"batch_size": BATCH, "base_filters": 8, "depth": 1, **configuration})
    assignment = Assignment(recipe, "unet", 3, "unit", "float32", PATCHES, HORIZON)
    return Training(assignment, epoch_seeds(0, (0, 0, 0), 0))


def rate_at(trained, step):
    trained.model.optimizer.iterations.assign(step)
    return trained.learning_rate


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
@pytest.mark.parametrize(
    ("schedule", "first", "middle", "last"),
    [("constant", 1, 1, 1), ("cosine", 0, 0.5, 0), ("poly", 1, 0.5**0.9, 0)],
)
def test_learning_rate_follows_the_steps_up_to_the_horizon(
    optimizer, schedule, first, middle, last
):
    trained = training(optimizer=optimizer, schedule=schedule, learning_rate=0.01)
    rates = [rate_at(trained, step) / 0.01 for step in (0, STEPS // 2, STEPS)]
    assert rates == pytest.approx([first, middle, last], abs=0.1)


def test_biases_and_norms_are_not_decayed():
    trained = training(optimizer="adamw", weight_decay=0.1, norm="batch")
    optimizer = trained.model.optimizer
    decayed = {v.name for v in trained.model.trainable_variables if optimizer._use_weight_decay(v)}
    assert decayed == {"kernel"}


def test_prediction_covers_every_patch_once_whatever_the_batch(monkeypatch):
    from bohb_seg import training as module

    monkeypatch.setattr(module, "PREDICTED_PIXELS", 3 * 16 * 16)
    model = training().model
    images = np.random.default_rng(0).integers(256, size=(7, 16, 16, 3)).astype(np.uint8)
    chunks = {s.start: scores for s, scores in module.probabilities(model, images)}
    assert [len(scores) for scores in chunks.values()] == [3, 3, 1]
    whole = np.concatenate(list(chunks.values()))
    np.testing.assert_allclose(whole, np.asarray(model(images)), atol=1e-5)
