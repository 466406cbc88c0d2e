import dataclasses

import numpy as np
import pytest
from helpers import small_network as small

from bohb_seg.training import metrics, prediction
from bohb_seg.training.graph import averaging

pytestmark = pytest.mark.training


def rate_at(trained, step):
    trained._compiled.optimizer.keras.iterations.assign(step)
    return trained.learning_rate


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
@pytest.mark.parametrize(
    ("schedule", "first", "middle", "last"),
    [("constant", 1, 1, 1), ("cosine", 0, 0.5, 0), ("poly", 1, 0.5**0.9, 0)],
)
def test_learning_rate_follows_the_steps_up_to_the_horizon(
    optimizer, schedule, first, middle, last
):
    trained = small.trainer(optimizer=optimizer, schedule=schedule, learning_rate=0.01)
    rates = [rate_at(trained, step) / 0.01 for step in (0, small.STEPS // 2, small.STEPS)]
    assert rates == pytest.approx([first, middle, last], abs=0.1)


def test_schedules_are_those_of_keras():
    from keras.optimizers import schedules

    warm_up = round(0.05 * small.STEPS)
    references = {
        "poly": schedules.PolynomialDecay(0.01, small.STEPS, 0.0, power=0.9),
        "cosine": schedules.CosineDecay(
            0.0, small.STEPS - warm_up, warmup_target=0.01, warmup_steps=warm_up
        ),
    }
    for name, reference in references.items():
        trained = small.trainer(schedule=name, learning_rate=0.01)
        for step in range(small.STEPS + 3):
            assert rate_at(trained, step) == pytest.approx(float(reference(step)), abs=1e-7)


def test_biases_and_norms_are_not_decayed():
    trained = small.trainer(optimizer="adamw", weight_decay=0.1, norm="batch")
    network = trained._compiled.loss_model
    decayed = {
        v.name for v in network.trainable_variables if network.optimizer._use_weight_decay(v)
    }
    assert decayed == {"kernel"}


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd"])
def test_training_is_a_plain_fit(name):
    """Of a model with Keras' own optimizer, on the same batches; Adam ignores decay."""
    import keras

    from bohb_seg.training.graph import losses

    data = small.part()
    step = {"optimizer": name, "learning_rate": 1e-2, "weight_decay": 0.1}
    spec = small.spec(**step)
    formula = losses.Formula.of(spec.recipe, small.CLASSES).vector()
    model = spec.build(small.seeds(0).graph)
    optimizer = {
        "adam": keras.optimizers.Adam(1e-2),
        "adamw": keras.optimizers.AdamW(1e-2, weight_decay=0.1),
        "sgd": keras.optimizers.SGD(1e-2, 0.9, nesterov=True, weight_decay=0.1),
    }[name]
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    model.compile(
        optimizer,
        lambda y, p: losses.value(losses.sums(y, p, losses.gamma(formula)), formula),
        jit_compile=keras.backend.backend() == "jax",
    )
    for epoch in (1, 2):
        order = small.seeds(epoch).order.permutation(small.PATCHES)
        model.fit(
            *(data.images[order], data.labels[order]),
            batch_size=small.BATCH,
            shuffle=False,
            verbose=0,
        )
    expected = np.concatenate([array.ravel() for array in model.get_weights()])
    ours, _ = small.trained(data, epochs=2, **step)
    # Adam divides by the square root of tiny moments, which magnifies the last digit.
    np.testing.assert_allclose(ours, expected, atol=1e-4 if name != "sgd" else 1e-6)


@pytest.mark.parametrize("micro", [None, 3])
def test_views_follow_from_the_seeds_of_the_epoch(micro):
    from bohb_seg.training.graph import augmentation, losses

    data, batch = small.part(), {"batch_size": small.PATCHES, "learning_rate": 0.0, "loss": "ce"}
    here = small.trainer(micro, optimizer="sgd", augmentation=0.5, **batch)
    loss = here.epoch(data, small.seeds(1))
    random = small.seeds(1).order
    order = random.permutation(small.PATCHES)
    views = augmentation.draw(small.PATCHES, 0.5, random)
    images, labels = augmentation.apply(data.images[order], data.labels[order], views)
    formula = losses.Formula.of(small.spec(**batch).recipe, small.CLASSES).vector()
    expected = losses.value(losses.sums(labels, here.exported()(images), 0.0), formula)
    assert loss == pytest.approx(float(expected), abs=1e-5)


def test_continuing_is_going_through_in_one_go_whatever_was_trained_in_between():
    data = small.part()
    step = {"optimizer": "adamw", "weight_decay": 0.01, "schedule": "cosine", "dropout": 0.3}

    def epochs(here, *numbers):
        for number in numbers:
            here.epoch(data, small.seeds(number))
        return here

    whole = epochs(small.trainer(**step), 1, 2, 3)
    first = epochs(small.trainer(**step), 1, 2)
    checkpoint = first.checkpoint(())
    first.close()
    between = epochs(small.trainer(**step, learning_rate=0.05, seed=1), 1)
    between.close()
    continued = small.trainer(**step)
    continued.restore(checkpoint)
    epochs(continued, 3)
    np.testing.assert_array_equal(small.weights(continued), small.weights(whole))
    np.testing.assert_array_equal(small.averages(continued), small.averages(whole))
    assert continued.learning_rate == whole.learning_rate
    assert 0 < continued.learning_rate < 1e-3


def test_a_checkpoint_holds_what_was_learnt_and_not_the_configuration():
    here = small.trainer(optimizer="adamw", weight_decay=0.1, learning_rate=0.5)
    here.restore(small.trainer(learning_rate=0.001).checkpoint(()))
    assert here.learning_rate == 0.5
    assert float(here._compiled.optimizer.keras.weight_decay) == pytest.approx(0.1)


@pytest.mark.parametrize("micro", [None, 3])
@pytest.mark.parametrize("norm", ["group", "batch"])
def test_late_weights_count_more_in_the_average(micro, norm):
    """Of the weights before each step, the moving statistics of batch normalisation included."""
    data = small.part()
    here = small.trainer(micro, batch_size=small.PATCHES, norm=norm, learning_rate=0.01)
    expected = small.weights(here)
    for step in range(1, 6):
        before = here.checkpoint(()).weights
        here.epoch(data, small.seeds(step))
        seen = _with_statistics_of(here, before)
        share = (averaging.POWER + 1) / (step + averaging.POWER)
        expected = expected + share * (seen - expected)
    np.testing.assert_allclose(small.averages(here), expected, atol=1e-5)
    assert np.abs(small.averages(here) - small.weights(here)).max() > 1e-3


def _with_statistics_of(here, weights):
    """Weights of before a step with the moving statistics after it: they move within the step."""
    after = here.checkpoint(()).weights
    is_statistic = [not each.trainable for each in here._compiled.model.weights]
    chosen = [b if late else a for a, b, late in zip(weights, after, is_statistic, strict=True)]
    return np.concatenate([array.ravel() for array in chosen])


def test_without_averages_in_a_checkpoint_they_begin_at_its_weights():
    """As those of earlier versions; how long it was trained still counts."""
    data = small.part()
    here = small.trainer()
    for epoch in (1, 2):
        here.epoch(data, small.seeds(epoch))
    old = dataclasses.replace(here.checkpoint(()), averages=())
    here.restore(old)
    np.testing.assert_array_equal(small.averages(here), small.weights(here))
    assert float(here._compiled.loss_model.average._seen) == 6


def test_a_diverged_epoch_ends_soon():
    data = small.part(40)
    here = small.trainer(optimizer="sgd", learning_rate=1e30, batch_size=1, patches=40)
    assert not np.isfinite(here.epoch(data, small.seeds(1)))
    assert int(here._compiled.optimizer.keras.iterations) <= 10


@pytest.mark.parametrize("micro", [None, 3])
def test_scores_are_those_of_the_exported_models_probabilities(micro, monkeypatch):
    """In batches of four or three, the last of which is filled up."""
    from bohb_seg.training import trainer as module

    monkeypatch.setattr(module, "PREDICTED_PIXELS", 1)
    data = small.part()
    here = small.trainer(micro)
    here.epoch(data, small.seeds(1))
    sums = here.score(data)
    model = here.exported()
    expected = metrics.PixelSums.of(np.asarray(model(data.images)), data.labels)
    np.testing.assert_array_equal(sums.confusion, expected.confusion)
    np.testing.assert_allclose(sums.hits, expected.hits, rtol=1e-4)
    np.testing.assert_allclose(sums.focal, expected.focal, rtol=1e-4)
    assert {type(layer).__module__.split(".")[0] for layer in model.layers} == {"keras"}


def test_prediction_covers_every_patch_once_whatever_the_batch(monkeypatch):
    monkeypatch.setattr(prediction, "PREDICTED_PIXELS", 3 * 16 * 16)
    model = small.spec().build(0)
    part = small.part(7)
    chunks = {rows.start: each for rows, each in prediction.probabilities(model, part)}
    assert [len(each.scores) for each in chunks.values()] == [3, 3, 1]
    labels, whole = map(np.concatenate, zip(*chunks.values(), strict=True))
    np.testing.assert_allclose(whole, np.asarray(model(part.images)), atol=1e-5)
    np.testing.assert_array_equal(labels, part.labels)


def test_shapes_tell_what_decides_memory():
    def shape(**configuration):
        return small.spec(**configuration).memory_key(64)

    assert shape() == (
        "unet, base_filters 8, depth 1, norm none, activation relu, scaling unit, 3 classes,"
        " float32, adamw, 64 px"
    )
    assert "activation relu, dropout, scaling unit" in shape(dropout=0.3)
    alike = {"optimizer": "adamw", "learning_rate": 0.5, "batch_size": 32, "loss": "ce"}
    assert shape(**alike) == shape()
    others = [{"depth": 2}, {"base_filters": 16}, {"optimizer": "sgd"}, {"dropout": 0.1}]
    others += [
        {"augmentation": 0.5},
        {"norm": "group"},
        {"activation": "swish"},
        {"scaling": "patch"},
    ]
    assert len({shape(**other) for other in [{}, *others]}) == len(others) + 1
