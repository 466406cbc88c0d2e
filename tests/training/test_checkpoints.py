import numpy as np
import pytest

from bohb_seg import checkpoints
from bohb_seg.checkpoints import Checkpoint, EpochRecord
from bohb_seg.seeds import epoch_seeds


def checkpoint(epochs):
    history = tuple(EpochRecord(e, 1.0, 0.9, 0.1, 0.2, 1e-3, 2.0) for e in range(1, epochs + 1))
    return Checkpoint([np.arange(4.0) + epochs, np.eye(2)], [np.array(7)], history)


def test_what_is_saved_is_loaded(tmp_path):
    checkpoints.save(tmp_path, "key", checkpoint(3))
    loaded = checkpoints.load(tmp_path, "key", at_most=9)
    assert loaded is not None
    assert loaded.history == checkpoint(3).history
    for one, other in zip(loaded.weights, checkpoint(3).weights, strict=True):
        np.testing.assert_array_equal(one, other)
    assert [value.item() for value in loaded.optimizer] == [7]


def test_a_checkpoint_of_something_else_is_never_continued(tmp_path, caplog):
    checkpoints.save(tmp_path, "key", checkpoint(3))
    assert checkpoints.load(tmp_path, "another", at_most=9) is None
    assert "belongs to other settings" in caplog.text


def test_a_checkpoint_with_too_many_epochs_is_left_alone(tmp_path):
    checkpoints.save(tmp_path, "key", checkpoint(9))
    checkpoints.save(tmp_path, "key", checkpoint(3))
    assert [checkpoints.load(tmp_path, "key", n).epoch for n in (3, 8, 9, 27)] == [3, 3, 9, 9]
    assert checkpoints.load(tmp_path, "key", 2) is None


def test_a_longer_training_replaces_a_shorter(tmp_path):
    checkpoints.save(tmp_path, "key", checkpoint(3))
    checkpoints.save(tmp_path, "key", checkpoint(9))
    assert [path.name for path in tmp_path.iterdir()] == ["epoch-00009.npz"]


def test_a_damaged_checkpoint_means_training_again(tmp_path, caplog):
    checkpoints.save(tmp_path, "key", checkpoint(3))
    path = tmp_path / "epoch-00003.npz"
    path.write_bytes(path.read_bytes()[:200])
    assert checkpoints.load(tmp_path, "key", at_most=9) is None
    assert "cannot be read" in caplog.text


def test_a_failed_write_leaves_nothing(tmp_path):
    def fail(file):
        file.write(b"half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        checkpoints.write_whole(tmp_path / "file", fail)
    assert list(tmp_path.iterdir()) == []


def test_seeds_depend_on_run_trial_and_epoch_and_arms_share_theirs():
    def draw(run, trial, epoch):
        seeds = epoch_seeds(run, trial, epoch)
        return seeds.graph, seeds.order.integers(2**40)

    ways = [(0, (0, 0, 0), 1), (1, (0, 0, 0), 1), (0, (0, 0, 1), 1), (0, (0, 0, 0), 2)]
    assert len({draw(*way) for way in ways}) == 4
    assert draw(0, (0, 0, 0), 1) == draw(0, (0, 0, 0), 1)
    assert draw(0, (-1, 0, 2), 5) == draw(0, (-1, 1, 2), 5)
    assert draw(0, (-1, 0, 1), 5) != draw(0, (-1, 0, 2), 5)
