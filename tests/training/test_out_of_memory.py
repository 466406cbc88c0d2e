"""A device without memory enough trains the same, in smaller parts."""

import json
import logging

import keras
import pytest
from helpers import scenes
from helpers import small_network as small
from helpers.limits import child

from bohb_seg.errors import BohbSegError, DoesNotFitError
from bohb_seg.training import devices, prediction
from bohb_seg.training.evaluation import MicroBatchLimits, evaluate
from bohb_seg.training.out_of_memory import MemoryAwareTrainer
from bohb_seg.training.seeds import epoch_seeds
from bohb_seg.training.trainer import Trainer
from bohb_seg.worker.start import load_worker_class

CONFIGURATION = {
    **{"batch_size": 4, "base_filters": 8, "depth": 2, "learning_rate": 3e-3},
    **{"dropout": 0.0, "activation": "relu", "augmentation": 0.5, "norm": "group"},
}
IMPOSSIBLE = 2**44
"""Numbers that no machine has room for."""


# --- what is known ----------------------------------------------------------------------------


def test_what_nobody_knows_is_tried_whole():
    assert MicroBatchLimits().largest("gpu | unet", 16) == 16


def test_the_least_that_anybody_found_is_safe():
    limits = MicroBatchLimits()
    limits.update({"gpu | unet": 8, "cpu | unet": 2})
    limits.update({"gpu | unet": 4})
    limits.update({"gpu | unet": 32})
    assert [limits.largest("gpu | unet", batch) for batch in (2, 4, 16)] == [2, 4, 4]
    assert limits.largest("cpu | unet", 16) == 2


def test_the_sentence_names_device_and_micro_batch():
    error = DoesNotFitError("gpu (Tesla T4)", 1, 256)
    assert isinstance(error, BohbSegError)
    assert str(error).startswith(
        "the configuration runs out of memory on gpu (Tesla T4) even with a micro-batch of 1 patch"
        " of 256 x 256 pixels; "
    )


# --- scoring ----------------------------------------------------------------------------------


def exhaust(rows, size, fits):
    if size > fits:
        keras.ops.zeros((IMPOSSIBLE,))
    return rows.stop - rows.start, size


def test_batches_shrink_until_they_fit_and_miss_nothing():
    done = list(prediction.in_fitting_batches(21, 8, lambda rows, size: exhaust(rows, size, 3)))
    assert [(rows.start, rows.stop) for rows, _ in done] == [
        *((start, start + 2) for start in range(0, 20, 2)),
        (20, 21),
    ]
    assert {size for _, (_, size) in done} == {2}


def test_one_row_that_does_not_fit_is_an_error():
    with pytest.raises(Exception, match=r"(?i)out of memory|OOM"):
        list(prediction.in_fitting_batches(5, 4, lambda rows, size: exhaust(rows, size, 0)))


def test_another_error_is_raised_at_once():
    tries = []

    def work(rows, size):
        tries.append(size)
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        list(prediction.in_fitting_batches(5, 4, work))
    assert tries == [4]


# --- evaluations on a device that is too small --------------------------------------------------


@pytest.fixture
def train(settings, data, tmp_path):
    def train(folder="run", epochs=3, limits=None, **changes):
        job = scenes.job((0, 0, 4), {**CONFIGURATION, **changes}, float(epochs), tmp_path / folder)
        return evaluate(settings(), data, job, limits=limits)

    return train


@pytest.fixture
def device(monkeypatch):
    """A device on which memory runs out, for real, after an epoch with more than so many patches.

    So a lost epoch has moved all weights, and what goes on must begin with those before it.
    """
    whole, passed = Trainer.epoch, []

    def epoch(self, patches, seeds):
        loss = whole(self, patches, seeds)
        passed.append(self.micro_batch or CONFIGURATION["batch_size"])
        if passed[-1] > device.patches and len(passed) >= device.fails_from:
            keras.ops.convert_to_numpy(keras.ops.zeros((IMPOSSIBLE,)))
        return loss

    class Device:
        patches, fails_from, tries = 4, 1, passed

    device = Device()
    monkeypatch.setattr(Trainer, "epoch", epoch)
    return device


def assert_same(result, expected):
    curves, expected_curves = result["info"]["curves"], expected["info"]["curves"]
    for name in ("epoch", "train_loss", "learning_rate"):
        assert curves[name] == pytest.approx(expected_curves[name], abs=1e-5), name
    assert result["info"]["focal"] == pytest.approx(expected["info"]["focal"], abs=1e-5)
    # Dice counts pixels, of which one may tip over.
    assert result["loss"] == pytest.approx(expected["loss"], abs=2e-3)


@pytest.mark.training
@pytest.mark.parametrize(("patches", "micro_batch", "fails_from"), [(3, 2, 2), (1, 1, 1)])
def test_it_goes_on_in_parts_and_nothing_else_changes(
    train, device, caplog, patches, micro_batch, fails_from
):
    expected = train("expected")
    assert expected["info"]["micro_batch"] == 4
    assert expected["info"]["micro_batches"] == {}
    device.tries.clear()
    device.patches, device.fails_from = patches, fails_from
    result = train()
    assert_same(result, expected)
    assert result["info"]["epochs_trained"] == 3
    assert result["info"]["micro_batch"] == micro_batch
    ((key, learnt),) = result["info"]["micro_batches"].items()
    assert learnt == micro_batch
    assert " | unet, base_filters 8, depth 2, " in key
    assert key.endswith("32 px")
    said = [record.message for record in caplog.records if record.levelno >= logging.WARNING]
    (first, *_) = [line for line in said if "has no memory" in line]
    assert first.startswith("(0, 0, 4): cpu")
    assert f"for 4 patches at once; goes on after epoch {fails_from - 1} with 2" in first


@pytest.mark.training
def test_what_was_found_out_is_known_to_the_next_evaluation(train, device):
    device.patches = 2
    limits = MicroBatchLimits()
    train("first", limits=limits)
    assert device.tries == [4, 2, 2, 2]
    second = train("second", limits=limits, learning_rate=1e-3, batch_size=3)
    assert device.tries[4:] == [2, 2, 2]
    assert second["info"]["micro_batch"] == 2
    assert second["info"]["micro_batches"] == {}


@pytest.mark.training
def test_what_other_workers_found_out_reaches_the_evaluation(settings, data, device, tmp_path):
    worker = load_worker_class("segmentation")(settings=settings(), run_id="r", nameserver="")
    worker.data = data
    assert worker.micro_batches == {}
    shape = small.spec(**CONFIGURATION).memory_key(32)

    def compute(number):
        return worker.compute((0, 0, number), CONFIGURATION, 1.0, str(tmp_path))["info"]

    worker.micro_batches = {f"{devices.kind()} | {shape}": 2, f"another | {shape}": 1}
    assert compute(1)["micro_batch"] == 2
    worker.micro_batches = {}
    assert compute(2)["micro_batch"] == 2
    assert device.tries == [2, 2]


@pytest.mark.training
def test_one_patch_that_does_not_fit_is_one_sentence_and_loses_no_epoch(train, device):
    expected = train("expected")
    device.tries.clear()
    device.patches, device.fails_from = 0, 3
    with pytest.raises(DoesNotFitError, match=r"out of memory on cpu .* micro-batch of 1 patch"):
        train()
    assert device.tries == [4, 4, 4, 2, 1]
    device.patches = 4  # another worker's
    result = train()
    assert result["info"]["continued_from"] == 2
    assert_same(result, expected)


@pytest.mark.training
def test_an_error_of_another_kind_is_no_reason_to_try_again(data, tmp_path):
    trainer = MemoryAwareTrainer(
        small.spec(**CONFIGURATION),
        lambda: epoch_seeds(0, (0, 0, 4), 0),
        32,
        MicroBatchLimits(),
        tmp_path,
        "it",
    )
    tries = []

    def fail(trained):
        tries.append(trained.micro_batch)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        trainer.do(fail)
    assert tries == [None]
    trainer.close()


@pytest.mark.training
def test_the_objective_is_that_of_the_whole_part_whatever_fits(settings, data, tmp_path, device):
    """The reports' loss has a batch in it, which is never the micro-batch."""
    device.patches = 1
    job = scenes.job((0, 0, 4), {**CONFIGURATION, "val_batch_size": 2}, 1.0, tmp_path)
    result = evaluate(settings(objective="milestone3"), data, job)
    device.patches = 4
    job = scenes.job((0, 0, 4), {**CONFIGURATION, "val_batch_size": 2}, 1.0, tmp_path / "whole")
    expected = evaluate(settings(objective="milestone3"), data, job)
    assert result["info"]["micro_batch"] == 1
    assert result["loss"] == pytest.approx(expected["loss"], abs=1e-5)
    own = "loss_at_own_batch"
    assert result["info"][own] == pytest.approx(expected["info"][own], abs=1e-5)


# --- a process that has too little memory, for real -------------------------------------------

ROOM = "1200"
"""MB. A step of three patches of 960 pixels takes 1,400, a step of one less than 600, among it what
XLA's convolutions in loops take of their own, which aborts the process if it is not there. So a
half would be too much where all is: three patches are tried, then one."""
LITTLE_ROOM = """
import json, logging, os, sys
from dataclasses import replace
from pathlib import Path
from bohb_seg.training import devices
devices.prepare("cpu", threads=2)
import numpy as np
from helpers import limits, scenes
from bohb_seg.data.audit import Audit
from bohb_seg.data.patch_sets import HeldPatches
from bohb_seg.training.evaluation import MicroBatchLimits, evaluate

logging.basicConfig(level="WARNING", stream=sys.stderr)
FOLDER, ROOM = os.environ["FOLDER"], int(os.environ["ROOM"])
data = scenes.data(Audit(18, 3, {}, 0, {}, 0.0, 0.0, {}, (), ()), train=3, validation=2)
wide = {
    name: HeldPatches(np.tile(part.images, (1, 30, 30, 1)), np.tile(part.labels, (1, 30, 30)), ())
    for name, part in data.parts.items()
}
data = replace(data, **wide)
configuration = {"base_filters": 8, "depth": 1, "dropout": 0.0, "norm": "group", "loss": "dice+ce"}
settings = scenes.settings(patch_size=30 * scenes.EDGE, cache_dir=FOLDER)

def train(data, number, epochs, batch_size):
    chosen = {**configuration, "batch_size": batch_size}
    job = scenes.job((0, 0, number), chosen, epochs, Path(FOLDER))
    return evaluate(settings, data, job, limits=memory)["info"]

memory, count = MicroBatchLimits(), len(data.train.images)
if ROOM:
    small = HeldPatches(data.train.images[:1, :64, :64], data.train.labels[:1, :64, :64], ())
    train(replace(data, train=small, validation=small), 0, 1.0, batch_size=1)
    limits.leave(ROOM)
print(json.dumps([train(data, 1, 2.0, count), train(data, 2, 1.0, count) if ROOM else None]))
"""


@pytest.mark.training
@pytest.mark.skipif(
    keras.backend.backend() == "jax", reason="JAX says that memory is short, see the next test"
)
def test_what_kills_processes_is_done_in_smaller_parts_by_the_next(tmp_path):
    """TensorFlow's convolutions crash on a CPU without memory: nobody is left to say so."""

    def run(room, folder):
        return child(LITTLE_ROOM, ROOM=room, FOLDER=str(tmp_path / folder))

    tries = []
    while not tries or tries[-1].returncode:
        assert len(tries) < 5, tries[-1].stderr[-3000:]
        tries.append(run(ROOM, "limited"))
    assert [each.returncode < 0 for each in tries] == [True, True, False]
    assert "lost two processes over 3 patches at once; goes on after epoch 0 with 1" in (
        tries[-1].stderr
    )
    limited, again = json.loads(tries[-1].stdout.splitlines()[-1])
    expected, _ = json.loads(run("0", "unlimited").stdout.splitlines()[-1])
    assert [each["micro_batch"] for each in (expected, limited, again)] == [3, 1, 1]
    assert list(limited["micro_batches"].values()) == [1]
    for name in ("train_loss", "validation_loss"):  # Dice counts pixels, of which one may tip over
        assert limited["curves"][name] == pytest.approx(expected["curves"][name], abs=2e-3), name


@pytest.mark.training
@pytest.mark.skipif(
    keras.backend.backend() != "jax",
    reason="on a CPU, TensorFlow's convolutions crash without memory instead of saying so",
)
def test_a_process_with_little_memory_finishes_its_evaluation(tmp_path):
    def run(room, folder):
        done = child(LITTLE_ROOM, ROOM=room, FOLDER=str(tmp_path / folder))
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout.splitlines()[-1]), done.stderr

    (limited, again), said = run(ROOM, "limited")
    (expected, _), _ = run("0", "unlimited")
    assert [each["micro_batch"] for each in (expected, limited, again)] == [3, 1, 1]
    assert list(limited["micro_batches"].values()) == [1]
    assert again["micro_batches"] == {}
    assert said.count("has no memory for 3 patches at once; goes on after epoch 0 with 1") == 1
    for name in ("train_loss", "validation_loss"):
        assert limited["curves"][name] == pytest.approx(expected["curves"][name], abs=1e-4), name
