import numpy as np
import pytest
from helpers import small_network as small
from hypothesis import given, settings
from hypothesis import strategies as st

from bohb_seg.training import objectives
from bohb_seg.training.metrics import PixelSums

pytestmark = pytest.mark.training

LOSSES = ["reports", "ce", "dice+ce", "dice+focal", "tversky"]
seeds = st.integers(0, 2**32 - 1)
recipes = st.builds(
    small.recipe,
    loss=st.sampled_from(LOSSES),
    region_weight=st.floats(0, 1),
    focal_gamma=st.floats(0, 5),
)
unhurried = settings(max_examples=30, deadline=None)


def batch(seed=0, ignored=0.2, classes=3, patches=4, concentration=1.0):
    """Labels and scores; a small concentration makes scores of nearly 0 and 1."""
    random = np.random.default_rng(seed)
    labels = random.integers(classes, size=(patches, 8, 8)).astype(np.uint8)
    unknown = random.random(labels.shape) < ignored
    labels[unknown] = random.choice([classes, 255], np.sum(unknown))
    scores = random.dirichlet(np.full(classes, concentration), labels.shape)
    return labels, scores.astype(np.float32)


def loss_of(recipe, labels, scores):
    """Ours, as a number."""
    return float(graph(recipe)(labels, scores))


def graph(recipe):
    """Ours, as a function of tensors."""
    from bohb_seg.training.graph import losses

    def loss(labels, scores):
        formula = losses.Formula.of(recipe, scores.shape[-1]).vector()
        return losses.value(losses.sums(labels, scores, losses.gamma(formula)), formula)

    return loss


def sums_of(labels, scores, gamma=2.0):
    from bohb_seg.training.graph import losses

    return np.asarray(losses.sums(labels, scores, gamma))


def gradient(recipe, labels, scores):
    """Of the loss with respect to the scores."""
    import keras

    if keras.backend.backend() == "jax":
        import jax

        return np.asarray(jax.jit(jax.grad(lambda s: graph(recipe)(labels, s)))(scores))
    import tensorflow as tf

    given = tf.constant(scores)
    with tf.GradientTape() as tape:
        tape.watch(given)
        loss = graph(recipe)(labels, given)
    return tape.gradient(loss, given).numpy()


def defined(recipe, labels, scores):
    """The losses as their papers and the reports define them, pixel by pixel in float64."""
    classes = scores.shape[-1]
    valid = labels < classes
    target, scores = labels[valid], scores[valid].astype(np.float64)
    own = np.clip(scores[np.arange(len(target)), target], 1e-7, 1 - 1e-7)

    def focal(gamma):
        return np.sum((1 - own) ** gamma * -np.log(own)) / max(len(own), 1)

    def index(false_positives, false_negatives):
        values = np.empty(classes)
        for c in range(classes):
            truth, score = target == c, scores[:, c]
            hits = np.sum(score[truth])
            errors = false_positives * np.sum(score[~truth])
            errors += false_negatives * np.sum(1 - score[truth])
            values[c] = (2 * hits + 1e-5) / (2 * (hits + errors) + 1e-5)
        return values

    def of_present(values):
        present = [value for c, value in enumerate(values) if np.any(target == c)]
        return np.mean(present) if present else 0.0

    share = recipe.region_weight
    dice = index(0.5, 0.5)
    return {
        "reports": 1 - np.mean(0.1666 * dice) + 0.25 * focal(2) / classes,
        "ce": focal(0),
        "dice+ce": share * (1 - of_present(dice)) + (1 - share) * focal(0),
        "dice+focal": share * (1 - of_present(dice)) + (1 - share) * focal(recipe.focal_gamma),
        "tversky": 1 - of_present(index(0.3, 0.7)),
    }[recipe.loss]


@given(
    recipe=recipes,
    seed=seeds,
    classes=st.integers(2, 6),
    ignored=st.sampled_from([0.0, 0.3, 1.0]),
    concentration=st.sampled_from([0.01, 1.0]),
)
@settings(max_examples=150, deadline=None)
def test_a_loss_is_what_its_definition_says(recipe, seed, classes, ignored, concentration):
    labels, scores = batch(seed, ignored, classes, concentration=concentration)
    expected = defined(recipe, labels, scores)
    assert loss_of(recipe, labels, scores) == pytest.approx(expected, rel=2e-5, abs=1e-6)


@pytest.mark.parametrize("name", LOSSES)
def test_a_class_of_one_pixel_counts(name):
    labels, scores = batch(classes=3)
    labels[labels == 2] = 1
    labels[0, 0, 0] = 2
    recipe = small.recipe(loss=name)
    assert loss_of(recipe, labels, scores) == pytest.approx(defined(recipe, labels, scores), 2e-5)


@given(seed=seeds, gamma=st.floats(0, 5), cut=st.integers(1, 3))
@unhurried
def test_sums_of_parts_add_up_to_those_of_the_batch(seed, gamma, cut):
    labels, scores = batch(seed)
    parts = sums_of(labels[:cut], scores[:cut], gamma) + sums_of(labels[cut:], scores[cut:], gamma)
    np.testing.assert_allclose(parts, sums_of(labels, scores, gamma), rtol=1e-5)


def test_compiled_sums_of_a_million_pixels_are_exact_to_float32():
    import keras

    from bohb_seg.training.graph import losses

    class Step(keras.Model):
        def call(self, inputs):
            return losses.sums(*inputs, 2.0)

    labels = np.tile(batch(patches=16)[0], (1, 32, 32))
    scores = np.full((*labels.shape, 3), 0.1, np.float32)
    valid = labels < 3
    pixels = [np.sum(labels == c) for c in range(3)]
    focal = -(0.9**2) * np.log(0.1) * valid.sum()
    expected = [*np.multiply(pixels, 0.1), *pixels, *[0.1 * valid.sum()] * 3, focal, valid.sum()]
    got = Step().predict((labels, scores), batch_size=16, verbose=0)
    np.testing.assert_allclose(got, expected, rtol=1e-5)


@given(recipe=recipes, seed=seeds)
@unhurried
def test_ignored_pixels_count_nowhere(recipe, seed):
    labels, scores = batch(seed, ignored=0.3)
    changed = scores.copy()
    changed[labels >= 3] = np.roll(changed[labels >= 3], 1, axis=-1)
    gamma = recipe.focal_gamma
    np.testing.assert_array_equal(sums_of(labels, changed, gamma), sums_of(labels, scores, gamma))
    assert not gradient(recipe, labels, scores)[labels >= 3].any()


@given(recipe=recipes, seed=seeds)
@unhurried
def test_gradients_are_the_slopes_of_the_loss(recipe, seed):
    labels, scores = batch(seed, patches=1)
    slopes = gradient(recipe, labels, scores)
    direction = np.random.default_rng(seed).normal(size=scores.shape) * 1e-3 * scores
    ahead, behind = (
        defined(recipe, labels, scores.astype(np.float64) + sign * direction) for sign in (1, -1)
    )
    expected = (ahead - behind) / 2
    scale = np.sum(np.abs(slopes * direction))
    assert np.sum(slopes * direction) == pytest.approx(expected, abs=2e-3 * scale + 1e-12)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 3.0])
@pytest.mark.parametrize("name", LOSSES)
def test_gradients_are_numbers_where_scores_are_0_and_1(name, gamma):
    labels, scores = batch()
    certain = np.eye(3, dtype=np.float32)[np.arange(scores[..., 0].size).reshape(labels.shape) % 3]
    recipe = small.recipe(loss=name, focal_gamma=gamma)
    assert np.isfinite(loss_of(recipe, labels, certain))
    assert np.isfinite(gradient(recipe, labels, certain)).all()


def test_gamma_0_is_exactly_cross_entropy():
    labels, scores = batch()
    for weight in (0.0, 0.5):
        focal = small.recipe(loss="dice+focal", region_weight=weight, focal_gamma=0.0)
        entropy = small.recipe(loss="dice+ce", region_weight=weight)
        assert loss_of(focal, labels, scores) == loss_of(entropy, labels, scores)
        np.testing.assert_array_equal(
            gradient(focal, labels, scores), gradient(entropy, labels, scores)
        )


@pytest.mark.parametrize("name", LOSSES)
def test_a_better_prediction_costs_less(name):
    labels, scores = batch(ignored=0)
    best = np.eye(3, dtype=np.float32)[labels]
    floor = 1 - 0.1666 if name == "reports" else 0
    recipe = small.recipe(loss=name)
    assert loss_of(recipe, labels, best) == pytest.approx(floor, abs=1e-5)
    assert loss_of(recipe, labels, (best + scores) / 2) < loss_of(recipe, labels, scores)


@pytest.mark.parametrize("ignored", [0, 0.3])
def test_reports_loss_of_a_batch_is_the_milestone3_objective_of_that_batch(ignored):
    labels, scores = batch(ignored=ignored, classes=6)
    assert loss_of(small.recipe(loss="reports"), labels, scores) == pytest.approx(
        objectives.milestone3(PixelSums.of(scores, labels), batch=4), abs=1e-6
    )


def test_the_kind_of_loss_is_a_value_of_one_compiled_step():
    import keras

    from bohb_seg.training.graph import losses

    traces = []

    class Step(keras.Model):
        def __init__(self):
            super().__init__()
            self.formula = self.add_weight(
                shape=(losses.Formula.LENGTH,), trainable=False, autocast=False
            )

        def call(self, inputs):
            traces.append(1)
            labels, scores = inputs
            sums = losses.sums(labels, scores, losses.gamma(self.formula))
            return losses.value(sums, self.formula) * keras.ops.ones((4,))

    labels, scores = batch()
    step = Step()
    counts = []
    for recipe in (small.recipe(loss=name, focal_gamma=1.5) for name in LOSSES):
        step.formula.assign(losses.Formula.of(recipe, 3).vector())
        got = step.predict((labels, scores), batch_size=4, verbose=0)
        np.testing.assert_allclose(got, defined(recipe, labels, scores), rtol=2e-5)
        counts.append(len(traces))
    assert len(set(counts)) == 1
