import numpy as np
import pytest

from bohb_seg import objectives
from bohb_seg.metrics import Tally
from bohb_seg.recipe import Recipe

pytestmark = pytest.mark.training


def loss_of(recipe, labels, scores):
    from bohb_seg import losses

    return float(losses.make(recipe)(labels, scores))


def batch(ignored=0.2, classes=3):
    random = np.random.default_rng(0)
    labels = random.integers(classes, size=(4, 8, 8)).astype(np.uint8)
    labels[random.random(labels.shape) < ignored] = 255
    return labels, random.dirichlet(np.ones(classes), labels.shape).astype(np.float32)


LOSSES = ["reports", "ce", "dice+ce", "dice+focal", "tversky"]


@pytest.mark.parametrize("name", LOSSES)
def test_ignored_pixels_do_not_count(name):
    labels, scores = batch()
    changed = scores.copy()
    changed[labels == 255] = np.roll(changed[labels == 255], 1, axis=-1)
    recipe = Recipe(loss=name)
    assert loss_of(recipe, labels, changed) == pytest.approx(loss_of(recipe, labels, scores))


@pytest.mark.parametrize("name", LOSSES)
def test_a_better_prediction_costs_less(name):
    labels, scores = batch(ignored=0)
    best = np.eye(3, dtype=np.float32)[labels]
    floor = 1 - 0.1666 if name == "reports" else 0
    recipe = Recipe(loss=name)
    assert loss_of(recipe, labels, best) == pytest.approx(floor, abs=1e-5)
    assert loss_of(recipe, labels, (best + scores) / 2) < loss_of(recipe, labels, scores)


@pytest.mark.parametrize("ignored", [0, 0.3])
def test_reports_loss_of_a_batch_is_the_seed_objective_of_that_batch(ignored):
    labels, scores = batch(ignored, classes=6)
    assert loss_of(Recipe(loss="reports"), labels, scores) == pytest.approx(
        objectives.seed(Tally.of(scores, labels), batch=4), abs=1e-6
    )


def test_a_class_that_the_batch_lacks_does_not_change_dice():
    labels, scores = batch(ignored=0, classes=2)
    wider = np.concatenate([scores, np.zeros_like(scores[..., :1])], axis=-1)
    recipe = Recipe(loss="dice+ce", region_weight=1.0)
    assert loss_of(recipe, labels, wider) == pytest.approx(loss_of(recipe, labels, scores))


def test_cross_entropy_is_the_mean_over_valid_pixels():
    labels, scores = batch()
    valid = labels < 3
    hit = scores[valid][np.arange(valid.sum()), labels[valid]]
    assert loss_of(Recipe(loss="ce"), labels, scores) == pytest.approx(-np.log(hit).mean(), 1e-5)


def test_a_batch_without_any_valid_pixel_costs_a_number():
    _, scores = batch()
    nothing = np.full((4, 8, 8), 255, np.uint8)
    assert all(np.isfinite(loss_of(Recipe(loss=name), nothing, scores)) for name in LOSSES)
