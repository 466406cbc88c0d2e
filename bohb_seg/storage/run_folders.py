"""Folders and files of the run directory under names that strangers choose.

A folder is opened step by step without following links, and files only directly in it, so no name
leads out of the run directory. An open folder is used by its descriptor: nothing changes if it is
exchanged for a link in the meantime.
"""

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import final

from bohb_seg.rpc import checkpoint_names
from bohb_seg.trials import CHECKPOINTS

_MOST_HASHES = 4096
"""Files whose hashes are remembered; a run has a few per trial that is alive."""

Description = tuple[int, str]
"""Size in bytes, and SHA-256 in hex."""


@final
class RunFolders:
    """Folders below a run directory, each named by its path relative to it.

    Args:
        run_dir: The run directory; it exists.
    """

    def __init__(self, run_dir: Path) -> None:
        self._run_dir = run_dir.resolve()
        self._hashes: dict[tuple[str, str], tuple[tuple[int, ...], str]] = {}

    @contextlib.contextmanager
    def opened(self, folder: str, create: bool = False) -> Iterator[int]:
        """Yields a descriptor of a folder.

        Args:
            folder: Path relative to the run directory.
            create: Whether to make the folder if it is not there; that of all checkpoints is not
                made, for it is there as long as the run goes on.

        Raises:
            FileNotFoundError: there is no such folder.
            OSError: the folder cannot be opened; a link on the way cannot.
        """
        directory = os.open(self._run_dir, os.O_RDONLY | os.O_DIRECTORY)
        try:
            for part in folder.split("/"):
                if create and part != CHECKPOINTS:
                    _make(part, directory)
                below = os.open(
                    part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=directory
                )
                os.close(directory)
                directory = below
            yield directory
        finally:
            os.close(directory)

    def described(self, folder: str) -> dict[str, Description]:
        """Sizes and hashes of the files of a folder, by name; files are read again if they changed.

        Raises:
            FileNotFoundError: there is no such folder.
            OSError: a file cannot be read.
        """
        with self.opened(folder) as directory:
            found = {name: self._described(directory, folder, name) for name in names(directory)}
        return {name: each for name, each in found.items() if each is not None}

    def _described(self, directory: int, folder: str, name: str) -> Description | None:
        """None if the file is gone by now."""
        with contextlib.suppress(FileNotFoundError), opened_file(directory, name) as file:
            state = os.fstat(file)
            signature = (state.st_ino, state.st_size, state.st_mtime_ns)
            known, sha256 = self._hashes.get((folder, name), ((), ""))
            if known != signature:
                with open(file, "rb", closefd=False) as content:
                    sha256 = hashlib.file_digest(content, "sha256").hexdigest()
                if len(self._hashes) >= _MOST_HASHES:
                    self._hashes.clear()
                self._hashes[folder, name] = signature, sha256
            return state.st_size, sha256
        return None


@contextlib.contextmanager
def opened_file(directory: int, name: str, flags: int = os.O_RDONLY) -> Iterator[int]:
    """Yields a descriptor of a file of an open folder; of no link, and of a pipe without waiting.

    Raises:
        OSError: the file cannot be opened so.
    """
    opened = os.open(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o644, dir_fd=directory)
    try:
        yield opened
    finally:
        os.close(opened)


def names(directory: int) -> list[str]:
    """Names of the files of an open folder that may be handed over; links may not."""
    with os.scandir(directory) as entries:
        files = [entry.name for entry in entries if entry.is_file(follow_symlinks=False)]
    return sorted(filter(checkpoint_names.is_name, files))


def _make(name: str, directory: int) -> None:
    with contextlib.suppress(FileExistsError):
        os.mkdir(name, dir_fd=directory)
        os.fsync(directory)
