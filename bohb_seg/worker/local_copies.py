"""Copies of a run's checkpoints on a machine that does not share the master's storage."""

import fcntl
import itertools
import os
import secrets
import shutil
from io import BufferedWriter
from pathlib import Path
from typing import final

from bohb_seg.files import read_regular
from bohb_seg.rpc import checkpoint_names
from bohb_seg.trials import CHECKPOINTS, COMPARISON


@final
class LocalCopies:
    """The directory in which one worker process keeps its copies.

    Args:
        base: Folder of the run on this machine; several worker processes may share it.
    """

    def __init__(self, base: Path) -> None:
        self._base = base
        self._own: tuple[Path, BufferedWriter] | None = None

    def directory(self) -> Path:
        """A directory that no other living process uses; one of a dead process is used again.

        Like a run directory, it has a folder for checkpoints.

        Raises:
            OSError: this machine's disk cannot be written.
        """
        numbers = itertools.count()
        while self._own is None:
            directory = self._base / str(next(numbers))
            directory.mkdir(parents=True, exist_ok=True)
            lock = (directory / ".lock").open("wb")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._own = directory, lock
            except BlockingIOError:
                lock.close()
            except OSError:  # a file system without locks, e.g. Lustre's default
                self._own = directory.with_name(secrets.token_hex(16)), lock
                self._own[0].mkdir()
        (self._own[0] / CHECKPOINTS).mkdir(exist_ok=True)
        return self._own[0]

    def clear(self, but: str = "") -> None:
        """Removes the copies, except those of the folder ``but``."""
        directory = self.directory()
        for path in (*(directory / CHECKPOINTS).glob("*"), directory / COMPARISON):
            if path != directory / but:
                shutil.rmtree(path, ignore_errors=True)


def shares_storage(working_directory: Path, token: str) -> bool:
    """Whether the run's own token lies there, and files can be written beside it."""
    path = working_directory / checkpoint_names.TOKEN_FILE
    try:
        found = read_regular(path).decode("ascii", errors="replace").strip()
    except OSError:
        return False
    return found == token and os.access(path.parent, os.W_OK)


def whole_files(folder: Path) -> list[Path]:
    """Files of a folder that may go to the master: whole ones, under names that it accepts."""
    return sorted(
        path for path in folder.glob("*") if checkpoint_names.is_name(path.name) and path.is_file()
    )
