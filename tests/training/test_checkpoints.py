import dataclasses
import io
import json
import os
import shutil
import subprocess
import tempfile
from operator import attrgetter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bohb_seg.training import artefacts, checkpoints
from bohb_seg.training.checkpoints import Best, Checkpoint, EpochRecord
from bohb_seg.training.seeds import epoch_seeds


def checkpoint(epochs):
    history = tuple(EpochRecord(e, 1.0, 0.9, 0.1, 0.2, 1e-3, 2.0) for e in range(1, epochs + 1))
    return Checkpoint([np.arange(4.0) + epochs, np.eye(2)], [np.array(7)], history)


def test_what_is_saved_is_loaded(tmp_path):
    checkpoints.save(tmp_path, "key", checkpoint(3))
    loaded = checkpoints.load(tmp_path, "key", at_most=9).checkpoint
    assert loaded is not None
    assert loaded.history == checkpoint(3).history
    for one, other in zip(loaded.weights, checkpoint(3).weights, strict=True):
        np.testing.assert_array_equal(one, other)
    assert [value.item() for value in loaded.optimizer] == [7]
    assert loaded.averages == []


def test_averages_are_loaded_too(tmp_path):
    kept = dataclasses.replace(checkpoint(3), averages=checkpoint(2).weights)
    checkpoints.save(tmp_path, "key", kept)
    loaded = checkpoints.load(tmp_path, "key", at_most=9).checkpoint
    for one, other in zip(loaded.averages, checkpoint(2).weights, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("epoch", [2, 3])
def test_the_best_weights_are_loaded_too(tmp_path, epoch):
    """Those of the last epoch are written once."""
    kept = dataclasses.replace(checkpoint(3), best=Best(epoch, checkpoint(epoch).weights))
    checkpoints.save(tmp_path, "key", kept)
    best = checkpoints.load(tmp_path, "key", at_most=9).checkpoint.best
    assert best.epoch == epoch
    for one, other in zip(best.weights, checkpoint(epoch).weights, strict=True):
        np.testing.assert_array_equal(one, other)
    with np.load(tmp_path / "epoch-00003.npz") as file:
        assert len([name for name in file.files if "best" in name]) == (2 if epoch == 2 else 0)


def test_a_checkpoint_of_something_else_is_never_continued(tmp_path, caplog):
    checkpoints.save(tmp_path, "key", checkpoint(3))
    assert checkpoints.load(tmp_path, "another", at_most=9) == (None, "")
    assert "belongs to other settings" in caplog.text


def test_a_checkpoint_with_too_many_epochs_is_left_alone(tmp_path):
    checkpoints.save(tmp_path, "key", checkpoint(9))
    checkpoints.save(tmp_path, "key", checkpoint(3))
    found = [checkpoints.load(tmp_path, "key", most).checkpoint for most in (3, 8, 9, 27)]
    assert [each.epoch for each in found] == [3, 3, 9, 9]
    assert checkpoints.load(tmp_path, "key", 2) == (None, "")


def test_a_longer_training_replaces_a_shorter(tmp_path):
    checkpoints.save(tmp_path, "key", checkpoint(3))
    checkpoints.save(tmp_path, "key", checkpoint(9))
    assert [path.name for path in tmp_path.iterdir()] == ["epoch-00009.npz"]


def test_a_damaged_checkpoint_means_training_again(tmp_path, caplog):
    checkpoints.save(tmp_path, "key", checkpoint(3))
    path = tmp_path / "epoch-00003.npz"
    path.write_bytes(path.read_bytes()[:200])
    found = checkpoints.load(tmp_path, "key", at_most=9)
    assert found.checkpoint is None
    assert found.lost == (
        "the checkpoint after epoch 3 was lost (File is not a zip file), so training began again"
    )
    assert "cannot be read" in caplog.text


def flip(path, bit):
    """Turns one bit of a file; the first ones lie at its end."""
    content = bytearray(path.read_bytes())
    content[-1 - bit // 8 % len(content)] ^= 1 << bit % 8
    path.write_bytes(content)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A checkpoint with best weights, and its file."""
    folder = tmp_path_factory.mktemp("saved")
    whole = dataclasses.replace(checkpoint(3), best=Best(2, checkpoint(2).weights))
    checkpoints.save(folder, "key", whole)
    return whole, folder / "epoch-00003.npz"


@settings(deadline=None)
@given(st.integers(0, 1 << 16), st.booleans())
def test_a_bit_that_flips_is_a_loss_and_never_another_checkpoint(saved, bit, is_old):
    """Also in a file of an earlier version, which has no seal."""
    whole, path = saved
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, path.name)
        copy.write_bytes(unsealed(path) if is_old else path.read_bytes())
        flip(copy, bit)
        found, lost = checkpoints.load(Path(folder), "key", at_most=9)
    if found is None:
        assert lost.startswith("the checkpoint after epoch 3 was lost (")
    else:
        assert is_old
        assert lost == ""
        assert_equal(found, whole)


def unsealed(path):
    """The same checkpoint as an earlier version wrote it."""
    with np.load(path) as parts, io.BytesIO() as file:
        arrays = dict(parts)
        header = json.loads(str(arrays["header"]))
        del header["sealed"]
        np.savez(file, **{**arrays, "header": np.array(json.dumps(header))})
        return file.getvalue()


def assert_equal(one, other):
    assert (one.history, one.best.epoch) == (other.history, other.best.epoch)
    for stack in (attrgetter("weights"), attrgetter("optimizer"), attrgetter("best.weights")):
        for mine, yours in zip(stack(one), stack(other), strict=True):
            np.testing.assert_array_equal(mine, yours)
            assert mine.dtype == yours.dtype


def test_a_checkpoint_of_an_earlier_version_is_continued(tmp_path, saved):
    whole, path = saved
    (tmp_path / path.name).write_bytes(unsealed(path))
    assert_equal(checkpoints.load(tmp_path, "key", at_most=9).checkpoint, whole)


def test_an_earlier_checkpoint_is_better_than_none(tmp_path):
    for epochs in (9, 5):
        checkpoints.save(tmp_path, "key", checkpoint(epochs))
    flip(tmp_path / "epoch-00009.npz", 4000)
    found = checkpoints.load(tmp_path, "key", at_most=9)
    assert found.checkpoint.epoch == 5
    assert found.lost == (
        "the checkpoint after epoch 9 was lost (its bits are not those that were written), so"
        " training went on from an earlier one"
    )


def test_a_pipe_that_has_a_checkpoints_name_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "epoch-00009.npz")
    (tmp_path / "epoch-00008.npz").symlink_to("/dev/zero")
    assert checkpoints.load(tmp_path, "key", at_most=9) == (None, "")


def test_a_checkpoint_that_is_replaced_while_it_is_read_is_no_loss(tmp_path, monkeypatch):
    checkpoints.save(tmp_path, "key", checkpoint(3))
    read = checkpoints._read

    def another_is_faster(path, key):
        checkpoints.save(tmp_path, "key", checkpoint(5))
        return read(path, key)

    monkeypatch.setattr(checkpoints, "_read", another_is_faster)
    assert checkpoints.load(tmp_path, "key", at_most=9).checkpoint.epoch == 5


# --- when -------------------------------------------------------------------------------------


@given(st.floats(0.01, 100), st.floats(0.001, 60))
def test_little_is_lost_and_little_time_is_spent(epoch, cost):
    """300 epochs of ``epoch`` seconds, where writing takes ``cost``."""
    now = written = spent = longest = 0.0
    for _ in range(300):
        now += epoch
        longest = max(longest, now - written)
        if checkpoints.is_due(now - written, cost if spent else 0.0):
            now, spent = now + cost, spent + cost
            written = now
    # The first time nobody knows what it costs.
    assert spent - cost <= 0.05 * now + 1e-6
    assert longest <= max(30.0, 20 * cost) + epoch + 1e-6


def test_a_writer_writes_what_is_due_and_the_rest_when_asked(tmp_path, monkeypatch):
    def on_disk():
        return sorted(path.name for path in tmp_path.iterdir())

    writer = checkpoints.CheckpointWriter(tmp_path, "key")
    writer.write()
    writer.hold(checkpoint(1))
    assert on_disk() == []
    monkeypatch.setattr(checkpoints, "LONGEST_LOSS", 0.0)
    monkeypatch.setattr(checkpoints, "SHARE", 1e9)
    writer.hold(checkpoint(2))
    assert on_disk() == ["epoch-00002.npz"]
    monkeypatch.undo()
    writer.hold(checkpoint(3))
    assert on_disk() == ["epoch-00002.npz"]
    writer.write()
    assert on_disk() == ["epoch-00003.npz"]
    (tmp_path / "epoch-00003.npz").unlink()
    writer.write()
    assert on_disk() == []  # what was written once is not written again


@pytest.fixture
def disk(tmp_path):
    """A disk of 64 KiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk needs root")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_is_only_complained_of(disk, caplog):
    writer = checkpoints.CheckpointWriter(disk / "trial", "key")
    ballast = disk / "ballast"
    ballast.write_bytes(bytes(56 * 1024))
    large = Checkpoint([np.zeros(4096)], [], checkpoint(4).history)
    writer.hold(large)
    writer.write()
    assert writer.complaint == (
        f"after epoch 4 the disk of {disk / 'trial'} was full, so a worker that goes on may have"
        " to train again"
    )
    assert "no checkpoint: after epoch 4" in caplog.text
    assert list((disk / "trial").iterdir()) == []
    ballast.unlink()
    writer.write()
    assert writer.complaint == ""
    assert checkpoints.load(disk / "trial", "key", 9).checkpoint.epoch == 4


def test_a_run_directory_that_is_away_is_not_made_anew_and_only_complained_of(tmp_path):
    run_dir = tmp_path / "run"
    folder = run_dir / "checkpoints/trial"
    folder.parent.mkdir(parents=True)
    writer = checkpoints.CheckpointWriter(folder, "key")
    writer.hold(checkpoint(3))
    writer.write()
    away = run_dir.rename(tmp_path / "away")
    writer.hold(checkpoint(4))
    writer.write()
    assert writer.complaint == (
        f"after epoch 4 {folder.parent} was gone: the run is over, or its directory was moved"
    )
    assert not run_dir.exists()
    away.rename(run_dir)
    writer.write()
    assert writer.complaint == ""
    assert [path.name for path in folder.iterdir()] == ["epoch-00004.npz"]


def test_a_checkpoint_that_cannot_be_written_for_another_reason_is_an_error(tmp_path):
    (tmp_path / "trial").write_text("not a folder")
    writer = checkpoints.CheckpointWriter(tmp_path / "trial", "key")
    writer.hold(checkpoint(1))
    with pytest.raises(OSError, match="trial"):
        writer.write()


def test_a_folder_that_is_gone_is_only_complained_of_and_never_made_again(tmp_path):
    """The run is over while a worker was frozen, or its directory was moved."""
    folder = tmp_path / "run" / "checkpoints"
    folder.mkdir(parents=True)
    writer = checkpoints.CheckpointWriter(folder / "0-0-1", "key")
    writer.hold(checkpoint(1))
    writer.write()
    assert writer.complaint == ""
    shutil.rmtree(tmp_path / "run")
    writer.hold(checkpoint(2))
    writer.write()
    assert writer.complaint == (
        f"after epoch 2 {folder} was gone: the run is over, or its directory was moved"
    )
    assert list(tmp_path.iterdir()) == []


def test_the_comparison_of_a_run_that_is_over_stays_as_it_is(tmp_path):
    with pytest.raises(OSError, match="holds no run any more"):
        artefacts.write(None, tmp_path, "comparison/default-0", None, None)
    assert list(tmp_path.iterdir()) == []


# --- seeds ------------------------------------------------------------------------------------


def test_seeds_depend_on_run_trial_and_epoch_and_arms_share_theirs():
    def draw(run, trial, epoch):
        seeds = epoch_seeds(run, trial, epoch)
        return seeds.graph, seeds.order.integers(2**40)

    ways = [(0, (0, 0, 0), 1), (1, (0, 0, 0), 1), (0, (0, 0, 1), 1), (0, (0, 0, 0), 2)]
    assert len({draw(*way) for way in ways}) == 4
    assert draw(0, (0, 0, 0), 1) == draw(0, (0, 0, 0), 1)
    assert draw(0, (-1, 0, 2), 5) == draw(0, (-1, 1, 2), 5)
    assert draw(0, (-1, 0, 1), 5) != draw(0, (-1, 0, 2), 5)
    assert draw(0, (-2, 0, 1), 5) == draw(0, (-2, 2, 1), 5)
    assert len({draw(0, (phase, 0, seed), 5) for phase in (0, -1, -2) for seed in (0, 1)}) == 6
