"""A trial's state between rungs: one ``.npz`` file per trial and number of epochs.

Written to a temporary file, fsynced and renamed, so that a file is whole or not there. Each file
carries the key of what was trained (configuration, settings, data); a file with another key is
another run's and is never continued. Only numbers and text are read back, no pickle.
"""

import json
import logging
import os
import re
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

_FORMAT = "epoch-{:05d}.npz"
_PATTERN = re.compile(r"epoch-(\d+)\.npz")

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
    """

    epoch: int
    train_loss: float
    validation_loss: float
    validation_miou: float
    validation_accuracy: float
    learning_rate: float
    seconds: float


@dataclass(frozen=True)
class Checkpoint:
    """A trained state.

    Args:
        weights: The model's, in Keras' order.
        optimizer: The optimizer's variables, its step counter among them.
        history: One record per epoch since the first.
    """

    weights: Sequence[NDArray[np.generic]]
    optimizer: Sequence[NDArray[np.generic]]
    history: tuple[EpochRecord, ...]

    @property
    def epoch(self) -> int:
        """Epochs trained."""
        return len(self.history)


def save(folder: Path, key: str, checkpoint: Checkpoint) -> None:
    """Writes a checkpoint and removes those of fewer epochs.

    Args:
        folder: The trial's own.
        key: Hash of what was trained.
        checkpoint: What to keep.

    Raises:
        OSError: it cannot be written.
    """
    header = {"key": key, "history": [asdict(record) for record in checkpoint.history]}
    arrays = {
        **{f"weight-{index:04d}": array for index, array in enumerate(checkpoint.weights)},
        **{f"optimizer-{index:04d}": array for index, array in enumerate(checkpoint.optimizer)},
    }
    text = np.array(json.dumps(header))
    # Uncompressed: weights hardly shrink, and zlib would take longer than the disk.
    write_whole(
        folder / _FORMAT.format(checkpoint.epoch),
        lambda file: np.savez(file, header=text, **arrays),
    )
    for epoch, path in _files(folder):
        if epoch < checkpoint.epoch:
            path.unlink(missing_ok=True)


def load(folder: Path, key: str, at_most: int) -> Checkpoint | None:
    """The checkpoint with the most epochs, but not more than ``at_most``; None without one."""
    for epoch, path in reversed(_files(folder)):
        if epoch <= at_most and (checkpoint := _read(path, key)):
            return checkpoint
    return None


def write_whole(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Lets ``write`` fill a file that appears under ``path`` only when it is whole and on disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _files(folder: Path) -> list[tuple[int, Path]]:
    matches = ((_PATTERN.fullmatch(path.name), path) for path in folder.glob("epoch-*.npz"))
    return sorted((int(match[1]), path) for match, path in matches if match)


def _read(path: Path, key: str) -> Checkpoint | None:
    try:
        with np.load(path, allow_pickle=False) as file:
            header = json.loads(str(file["header"]))
            if header["key"] != key:
                _log.warning("%s belongs to other settings, data or configuration; ignored", path)
                return None
            weights = [file[name] for name in file.files if name.startswith("weight-")]
            optimizer = [file[name] for name in file.files if name.startswith("optimizer-")]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        _log.warning("%s cannot be read (%s); training starts again", path, error)
        return None
    history = tuple(EpochRecord(**record) for record in header["history"])
    return Checkpoint(weights, optimizer, history)
