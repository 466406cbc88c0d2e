"""A trial's state on disk, so that another worker can go on: ``epoch-<epochs>.npz`` per trial.

A checkpoint is written at the end of an evaluation, when the evaluation is interrupted, and in
between often enough that a worker that is killed loses little. A file is whole or not there. Each
file carries a key, a hash of configuration, settings and data; a file with another key belongs to
another training and is never continued. Only numbers and text are read back, no pickle.

Each file is sealed: the hash of its content is the comment of the zip archive that every ``.npz``
is. A file whose bits are others now is *lost*. Training then begins again, which is no fault of the
configuration. Files of earlier versions have no seal; they are checked by the sums that zip has.
"""

import errno
import json
import logging
import os
import struct
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from bohb_seg.files import write_whole
from bohb_seg.files.integrity import SEAL_BYTES, check_archive, check_seal, seal
from bohb_seg.trials import checkpoint_epochs, checkpoint_file

LONGEST_LOSS = 30.0
"""Seconds of training that may be lost with a worker, besides the epoch that it is in."""
SHARE = 0.05
"""Share of the time that writing checkpoints may take; where it is slow, more may be lost."""
FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""Numbers of the errors of a disk, or of a quota, without room."""
AWAY = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ESTALE})
"""Numbers of the errors of a folder that is not there, as while a run directory is moved."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class EpochRecord:
    """Figures of one epoch.

    Args:
        epoch: Number of the epoch, from 1.
        train_loss: The recipe's loss, as seen while training.
        validation_loss: The run's objective on the whole validation part.
        validation_miou: Mean intersection over union on the validation part, 0..1.
        validation_accuracy: Share of its pixels with the right class, 0..1.
        learning_rate: Learning rate at the epoch's end.
        seconds: Duration of training and validation.
        constant: Whether the network answered the same whatever the image (see early_stopping).
    """

    epoch: int
    train_loss: float
    validation_loss: float
    validation_miou: float
    validation_accuracy: float
    learning_rate: float
    seconds: float
    constant: bool = False


CURVES = tuple(field.name for field in fields(EpochRecord) if field.name != "constant")
"""Names of the figures that are reported, one value per epoch."""
Weights = Sequence[NDArray[np.generic]]
"""Arrays in Keras' order."""


@dataclass(frozen=True)
class Best:
    """The weights with the lowest validation loss so far, and the epoch that made them."""

    epoch: int
    weights: Weights


@dataclass(frozen=True)
class Checkpoint:
    """A trained state.

    Args:
        weights: Weights of the model.
        optimizer: Variables of the gradient optimizer, its step counter among them.
        history: One record per epoch since the first.
        best: The best weights so far, if ``--patience`` asks for them.
        averages: Weights averaged over the last steps; empty if there are none, as in files of
            earlier versions.
    """

    weights: Weights
    optimizer: Weights
    history: tuple[EpochRecord, ...]
    best: Best | None = None
    averages: Weights = ()

    @property
    def epoch(self) -> int:
        """Epochs trained."""
        return len(self.history)


class Found(NamedTuple):
    """Result of a look for a checkpoint.

    Args:
        checkpoint: The one with the most epochs that can be read; None without one.
        lost: Sentence about one with more epochs that cannot be read; "" if there is none.
    """

    checkpoint: Checkpoint | None
    lost: str = ""


@final
class CheckpointWriter:
    """Holds a training's latest state, and writes it when that is worth the time.

    Args:
        folder: Folder of the trial's checkpoint.
        key: Hash of everything that decides what is trained.

    Attributes:
        complaint: Why the latest state is not on disk, in a sentence; "" if it is.
    """

    def __init__(self, folder: Path, key: str) -> None:
        self.complaint = ""
        self._folder, self._key = folder, key
        self._held: Checkpoint | None = None
        self._cost, self._written = 0.0, time.monotonic()

    def hold(self, checkpoint: Checkpoint) -> None:
        """Takes the state after an epoch, and writes it if that is due."""
        self._held = checkpoint
        if is_due(time.monotonic() - self._written, self._cost):
            self.write()

    def write(self) -> None:
        """Writes the state that is held, unless it is on disk.

        A full disk is a complaint only, and so is a folder that is gone: the run is over, or its
        directory is away for a while.

        Raises:
            OSError: the state cannot be written for another reason.
        """
        if self._held is None:
            return
        started = time.monotonic()
        try:
            save(self._folder, self._key, self._held)
        except OSError as error:
            self._complain(error, self._held.epoch)
        else:
            self.complaint, self._held = "", None
        self._written = time.monotonic()
        self._cost = self._written - started

    def _complain(self, error: OSError, epoch: int) -> None:
        if is_full(error):
            self.complaint = (
                f"after epoch {epoch} the disk of {self._folder} was full, so a worker that goes on"
                " may have to train again"
            )
            _log.warning("no checkpoint: %s", self.complaint)
        elif is_away(error):
            self.complaint = (
                f"after epoch {epoch} {self._folder.parent} was gone: the run is over, or its"
                " directory was moved"
            )
            _log.info("no checkpoint: %s", self.complaint)
        else:
            raise error


def is_due(since: float, cost: float) -> bool:
    """Whether to write a checkpoint.

    Args:
        since: Seconds since the last one was written.
        cost: Seconds that writing it took.
    """
    return since >= max(LONGEST_LOSS, cost / SHARE)


def is_full(error: OSError) -> bool:
    """Whether only room is missing; HDF5 gives the number in its text alone."""
    return _is_one_of(FULL, error)


def is_away(error: OSError) -> bool:
    """Whether a folder is not there; nobody makes the run directory anew, it may come back."""
    return _is_one_of(AWAY, error)


def _is_one_of(numbers: Collection[int], error: OSError) -> bool:
    return error.errno in numbers or any(os.strerror(each) in str(error) for each in numbers)


def save(folder: Path, key: str, checkpoint: Checkpoint) -> None:
    """Writes a checkpoint and removes those of fewer epochs.

    Args:
        folder: Folder of the trial's checkpoint. The one above it must be there: only whoever
            begins a run makes it, and it is removed when the run is over.
        key: Hash of everything that decides what is trained.
        checkpoint: The state.

    Raises:
        OSError: the checkpoint cannot be written.
    """
    best = checkpoint.best
    header = {
        "key": key,
        "history": [asdict(record) for record in checkpoint.history],
        "best_epoch": best.epoch if best else None,
        "sealed": True,
    }
    stacks = {
        "weight": checkpoint.weights,
        "optimizer": checkpoint.optimizer,
        "average": checkpoint.averages,
    }
    if best and best.epoch < checkpoint.epoch:  # else they are the weights themselves
        stacks["best"] = best.weights
    arrays = {
        f"{name}-{index:04d}": array
        for name, stack in stacks.items()
        for index, array in enumerate(stack)
    }
    write_whole(
        folder / checkpoint_file(checkpoint.epoch),
        lambda file: _write(file, {"header": np.array(json.dumps(header)), **arrays}),
        within=folder.parent,
    )
    for epoch, path in _files(folder):
        if epoch < checkpoint.epoch:
            path.unlink(missing_ok=True)


def load(folder: Path, key: str, at_most: int) -> Found:
    """Reads the checkpoint with the most epochs.

    Args:
        folder: Folder of the trial's checkpoint.
        key: Hash of everything that decides what is trained; other checkpoints are ignored.
        at_most: Most epochs that the checkpoint may have seen.

    Returns:
        The checkpoint, and what is to be told of one that cannot be read.
    """
    lost = ""
    for epoch, path in reversed(_files(folder)):
        if epoch > at_most:
            continue
        try:
            checkpoint = _read(path, key)
        except FileNotFoundError:  # a lost attempt has written a newer one just now
            return load(folder, key, at_most)
        except Exception as error:  # whatever bits that nobody wrote make NumPy and zip raise
            reason = str(error) or type(error).__name__
            lost = lost or f"the checkpoint after epoch {epoch} was lost ({reason})"
            _log.warning("%s cannot be read (%s)", path, reason)
            continue
        if checkpoint:
            return Found(checkpoint, lost and f"{lost}, so training went on from an earlier one")
    return Found(None, lost and f"{lost}, so training began again")


def _write(file: BinaryIO, arrays: Mapping[str, NDArray[Any]]) -> None:
    # Uncompressed: weights hardly shrink, and zlib would take longer than the disk.
    np.savez(file, **arrays)
    # The last two bytes of an archive without a comment say how long the comment is.
    file.seek(-2, os.SEEK_END)
    file.write(struct.pack("<H", SEAL_BYTES))
    seal(file)


def _files(folder: Path) -> list[tuple[int, Path]]:
    paths = (path for path in folder.glob("*") if path.is_file())  # no pipe, which would wait
    found = ((checkpoint_epochs(path.name), path) for path in paths)
    return sorted((epochs, path) for epochs, path in found if epochs is not None)


def _read(path: Path, key: str) -> Checkpoint | None:
    """None if it belongs to another training; raises whatever a damaged file leads to."""
    with path.open("rb") as file:
        is_sealed = check_seal(file)
        if not is_sealed:
            check_archive(file)  # a file of an earlier version
        file.seek(0)
        with np.load(file, allow_pickle=False) as parts:
            header = json.loads(str(parts["header"]))
            if header.get("sealed", False) != is_sealed:
                raise ValueError("its seal is damaged")
            if header["key"] != key:
                _log.warning("%s belongs to other settings, data or configuration; ignored", path)
                return None
            weights, optimizer, averages, best_weights = (
                [parts[name] for name in parts.files if name.startswith(f"{stack}-")]
                for stack in ("weight", "optimizer", "average", "best")
            )
    history = tuple(EpochRecord(**record) for record in header["history"])
    best_epoch = header.get("best_epoch")
    best = Best(best_epoch, best_weights or weights) if best_epoch else None
    return Checkpoint(weights, optimizer, history, best, averages)
