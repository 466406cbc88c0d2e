"""A compiled step: micro-batches, values that are no reason to trace again, batches filled up."""

import subprocess
import sys

import numpy as np
import pytest
from helpers import small_network as small
from helpers.commands import PROGRAMS

from bohb_seg.training.seeds import EpochSeeds

pytestmark = pytest.mark.training


TOLERANCE = 5e-6
"""Of weights of about 0.1 after three steps; sums in another order differ by 1e-7 to 1e-6."""


@pytest.fixture
def traces(monkeypatch):
    """Counts how often the loss was traced."""
    from bohb_seg.training.graph import losses

    count, value = [], losses.value
    monkeypatch.setattr(losses, "value", lambda *args: (count.append(1), value(*args))[1])
    return count


@pytest.mark.parametrize("norm", ["none", "group"])
def test_micro_batches_give_the_weights_of_the_whole_batch(norm):
    """Of Dice, too, which is no mean over patches; 3 does not divide the batch."""
    data, step = small.part(), {"optimizer": "sgd", "learning_rate": 0.1, "norm": norm}
    whole, loss = small.trained(data, **step)
    initial = small.weights(small.trainer(**step))
    assert np.abs(whole - initial).max() > 0.01
    for micro in (1, 2, 3, 4, 99):
        parts, its_loss = small.trained(data, micro, **step)
        np.testing.assert_allclose(parts, whole, atol=TOLERANCE)
        assert its_loss == pytest.approx(loss, abs=1e-5)


def test_parts_take_a_part_of_the_memory():
    """A batch takes about 420 MB; parts of an eighth should take little more than that of one."""

    def peak(micro):
        script = PROGRAMS / "peak.py"
        done = subprocess.run(
            [sys.executable, script, str(micro)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return int(done.stdout)

    assert peak(2) < 0.6 * peak(0)


def test_batch_normalisation_moves_its_averages_with_each_part():
    """Patches are equal, so that the statistics of parts are those of the batch."""
    from bohb_seg.models import unet

    data = small.part(4)
    data.images[:], data.labels[:] = data.images[0], data.labels[0]
    step = {"optimizer": "sgd", "learning_rate": 0.0, "norm": "batch"}

    def moving(micro):
        here = small.trainer(micro, patches=4, **step)
        before = small.weights(here)
        here.epoch(data, small.seeds(1))
        return small.weights(here) - before

    whole, parts = moving(None), moving(2)
    np.testing.assert_allclose(parts, whole * (1 + unet.MOMENTUM), atol=1e-5)
    assert np.abs(whole).max() > 1e-3


def test_what_is_computed_twice_drops_the_same_activations():
    """Two patches are a batch of two, or the first of two parts of which the other does not count:
    then both have the same masks, and the same gradients if the second computation has them, too.
    """
    data, step = small.part(2), {"optimizer": "sgd", "learning_rate": 0.1, "dropout": 0.5}
    whole, _ = small.trained(data, batch_size=2, **step)
    parts, _ = small.trained(data, 2, batch_size=4, **step)
    np.testing.assert_allclose(parts, whole, atol=TOLERANCE)
    dropped_nothing, _ = small.trained(data, batch_size=2, **{**step, "dropout": 0.0})
    assert np.abs(whole - dropped_nothing).max() > 1e-3


def test_masks_depend_on_the_seed_of_the_epoch_alone():
    data = small.part()

    def after(graph, warm=False):
        here = small.trainer(dropout=0.5)
        if warm:
            here.epoch(data, small.seeds(7))
            here.restore(small.trainer(dropout=0.5).checkpoint(()))
        here.epoch(data, EpochSeeds(np.random.default_rng(0), graph))
        return small.weights(here)

    np.testing.assert_array_equal(after(1), after(1, warm=True))
    assert np.abs(after(1) - after(2**29)).max() > 1e-4


def test_dropout_drops_at_the_rate_of_its_name():
    import keras

    from bohb_seg.training.graph.dropout import StepDropout

    step = StepDropout(["other", "dropout"])
    layers = [
        step.layer("dropout", 1.0, "float32"),
        step.layer("dropout", 1.5, "mixed_bfloat16"),
    ]
    ones = np.ones((4, 50, 50, 8), np.float32)
    step.rates, step.seed = [0.9, 0.2], 5
    first, second = (
        keras.ops.convert_to_numpy(keras.ops.cast(layer(ones, training=True), "float32"))
        for layer in layers
    )
    assert (first == 0).mean() == pytest.approx(0.2, abs=0.01)
    assert (second == 0).mean() == pytest.approx(0.3, abs=0.01)
    assert first.mean() == pytest.approx(1, abs=0.02)
    assert second.mean() == pytest.approx(1, abs=0.02)
    assert ((first == 0) & (second == 0)).mean() == pytest.approx(0.06, abs=0.01)
    np.testing.assert_array_equal(layers[0](ones, training=False), ones)


def test_values_are_no_reason_to_trace_again(traces):
    """And what was trained before leaves nothing behind."""
    from bohb_seg.training import trainer

    data = small.part()
    one = {"optimizer": "adam", "learning_rate": 1e-2, "dropout": 0.1, "augmentation": 0.2}
    other = {
        "optimizer": "adamw",
        "learning_rate": 1e-3,
        "weight_decay": 0.1,
        "schedule": "cosine",
        "dropout": 0.4,
        "loss": "tversky",
        "augmentation": 1.0,
    }
    trainer.release()
    fresh, _ = small.trained(data, **other)
    trainer.release()
    small.trained(data, seed=1, **one)
    before = len(traces)
    again, _ = small.trained(data, **other)
    assert before
    assert len(traces) == before
    np.testing.assert_allclose(again, fresh, atol=1e-6)


@pytest.mark.parametrize("micro", [None, 3])
def test_the_last_smaller_batch_counts_as_much_as_it_has_patches(traces, micro):
    """Cross-entropy of all batches is that of all patches, if each has as many valid pixels."""
    import keras

    from bohb_seg.training import trainer
    from bohb_seg.training.graph import losses

    data = small.part()
    trainer.release()
    traces.clear()
    here = small.trainer(micro, optimizer="sgd", learning_rate=0.0, loss="ce")
    loss = here.epoch(data, small.seeds(1))
    traced = len(traces)
    formula = losses.Formula.of(small.spec(loss="ce").recipe, small.CLASSES).vector()
    scores = np.asarray(here.exported()(data.images))
    expected = losses.value(losses.sums(data.labels, scores, 0.0), formula)
    assert loss == pytest.approx(float(keras.ops.convert_to_numpy(expected)), abs=1e-5)
    assert traced == 1


def test_bfloat16_trains_float32_weights_in_parts_too():
    data, step = small.part(), {"policy": "mixed_bfloat16", "norm": "batch", "dropout": 0.2}
    for micro in (None, 2):
        here = small.trainer(micro, **step)
        losses = [here.epoch(data, small.seeds(e)) for e in (1, 2, 3)]
        assert losses[2] < losses[0]
        assert {array.dtype for array in here.checkpoint(()).weights} == {np.dtype("float32")}
