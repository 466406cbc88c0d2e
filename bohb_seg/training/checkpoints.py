"""A trial's state on disk, so that another worker can go on: ``epoch-<epochs>.npz`` per trial.

Written at the end of an evaluation, when it is interrupted, and in between often enough that a
worker that is killed loses little: to a temporary file, fsynced and renamed, so that a file is
whole or not there. Each file carries the key of what was trained (configuration, settings, data); a
file with another key is another run's and is never continued. Only numbers and text are read back,
no pickle.
"""

import errno
import json
import logging
import os
import time
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import final

import numpy as np
from numpy.typing import NDArray

from bohb_seg.files import write_whole
from bohb_seg.trials import checkpoint_epochs, checkpoint_file

LONGEST_LOSS = 30.0
"""Seconds of training that may be lost with a worker, besides the epoch that it is in."""
SHARE = 0.05
"""Part of the time that writing checkpoints may take; where it is slow, more may be lost."""
FULL = frozenset({errno.ENOSPC, errno.EDQUOT})

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class EpochRecord:
    """What one epoch came to.

    Args:
        epoch: Counted from 1.
        train_loss: Of the recipe's loss, as seen while training.
        validation_loss: The run's objective on the whole validation part.
        learning_rate: At the epoch's end.
        seconds: Training and validation.
        constant: Whether the network answered the same whatever the image (see stopping).
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
"""What is drawn of the records, one value per epoch."""
Weights = Sequence[NDArray[np.generic]]


@dataclass(frozen=True)
class Best:
    """The weights with the lowest validation loss so far, and the epoch after which they were."""

    epoch: int
    weights: Weights


@dataclass(frozen=True)
class Checkpoint:
    """A trained state.

    Args:
        weights: The model's, in Keras' order.
        optimizer: The optimizer's variables, its step counter among them.
        history: One record per epoch since the first.
        best: Where ``--patience`` asks for it.
    """

    weights: Weights
    optimizer: Weights
    history: tuple[EpochRecord, ...]
    best: Best | None = None

    @property
    def epoch(self) -> int:
        """Epochs trained."""
        return len(self.history)


@final
class Keeper:
    """Holds a training's latest state, and writes it when it is worth the time.

    Args:
        folder: The trial's own.
        key: Hash of what is trained.

    Attributes:
        complaint: Why the latest state is not on disk, in a sentence; "" if it is.
    """

    def __init__(self, folder: Path, key: str) -> None:
        self.complaint = ""
        self._folder, self._key = folder, key
        self._held: Checkpoint | None = None
        self._cost, self._written = 0.0, time.monotonic()

    def hold(self, checkpoint: Checkpoint) -> None:
        """Takes the state after an epoch; writes it if that is due."""
        self._held = checkpoint
        if is_due(time.monotonic() - self._written, self._cost):
            self.write()

    def write(self) -> None:
        """Writes the state that is held, unless it is on disk; a full disk is only complained of.

        Raises:
            OSError: it cannot be written for another reason.
        """
        if self._held is None:
            return
        started = time.monotonic()
        try:
            save(self._folder, self._key, self._held)
        except OSError as error:
            if not is_full(error):
                raise
            self.complaint = (
                f"after epoch {self._held.epoch} the disk of {self._folder} was full, so a worker"
                " that goes on may have to train again"
            )
            _log.warning("no checkpoint: %s", self.complaint)
        else:
            self.complaint, self._held = "", None
        self._written = time.monotonic()
        self._cost = self._written - started


def is_due(since: float, cost: float) -> bool:
    """Whether to write a checkpoint ``since`` s after the last one, which took ``cost`` s."""
    return since >= max(LONGEST_LOSS, cost / SHARE)


def is_full(error: OSError) -> bool:
    """Whether it is only room that is missing; HDF5 gives the number in its text alone."""
    return error.errno in FULL or any(os.strerror(number) in str(error) for number in FULL)


def save(folder: Path, key: str, checkpoint: Checkpoint) -> None:
    """Writes a checkpoint and removes those of fewer epochs.

    Args:
        folder: The trial's own.
        key: Hash of what was trained.
        checkpoint: What to keep.

    Raises:
        OSError: it cannot be written.
    """
    best = checkpoint.best
    header = {
        "key": key,
        "history": [asdict(record) for record in checkpoint.history],
        "best_epoch": best.epoch if best else None,
    }
    stacks = {"weight": checkpoint.weights, "optimizer": checkpoint.optimizer}
    if best and best.epoch < checkpoint.epoch:  # else they are the weights themselves
        stacks["best"] = best.weights
    arrays = {
        f"{name}-{index:04d}": array
        for name, stack in stacks.items()
        for index, array in enumerate(stack)
    }
    text = np.array(json.dumps(header))
    # Uncompressed: weights hardly shrink, and zlib would take longer than the disk.
    write_whole(
        folder / checkpoint_file(checkpoint.epoch),
        lambda file: np.savez(file, header=text, **arrays),
    )
    for epoch, path in _files(folder):
        if epoch < checkpoint.epoch:
            path.unlink(missing_ok=True)


def load(folder: Path, key: str, at_most: int) -> Checkpoint | None:
    """The checkpoint with the most epochs, but not more than ``at_most``; None without one."""
    for epoch, path in reversed(_files(folder)):
        if epoch <= at_most:
            try:
                checkpoint = _read(path, key)
            except FileNotFoundError:  # a lost attempt has written a newer one just now
                return load(folder, key, at_most)
            if checkpoint:
                return checkpoint
    return None


def _files(folder: Path) -> list[tuple[int, Path]]:
    found = ((checkpoint_epochs(path.name), path) for path in folder.glob("*"))
    return sorted((epochs, path) for epochs, path in found if epochs is not None)


def _read(path: Path, key: str) -> Checkpoint | None:
    try:
        with np.load(path, allow_pickle=False) as file:
            header = json.loads(str(file["header"]))
            if header["key"] != key:
                _log.warning("%s belongs to other settings, data or configuration; ignored", path)
                return None
            weights, optimizer, best_weights = (
                [file[name] for name in file.files if name.startswith(f"{stack}-")]
                for stack in ("weight", "optimizer", "best")
            )
    except FileNotFoundError:
        raise
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        _log.warning("%s cannot be read (%s); training starts again", path, error)
        return None
    history = tuple(EpochRecord(**record) for record in header["history"])
    best_epoch = header.get("best_epoch")
    best = Best(best_epoch, best_weights or weights) if best_epoch else None
    return Checkpoint(weights, optimizer, history, best)
