"""Notes that tell of processes which died at work, because they could not tell it themselves.

TensorFlow does not report that a processor's memory is full: its kernels crash, and a container
that takes too much is killed. So a process leaves a note on this machine before each piece of work,
and keeps it locked as long as it lives. A note without a lock is that of a dead process. One death
may have any reason; after two in a row, with nothing finished in between, so many patches at once
do not fit into memory.
"""

import contextlib
import fcntl
import hashlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import final

from bohb_seg.files import whole_file

ENOUGH = 2
"""Deaths that tell that memory is short."""
FORGOTTEN_AFTER = 24 * 3600.0
"""Seconds after which a death is forgotten: other programs that took memory may be gone by then."""


@final
class CrashNotes:
    """The notes of one kind of work on this machine.

    Args:
        folder: Folder on this machine's own disk, which all its workers share.
        key: Kind of device and shape of the network.
    """

    def __init__(self, folder: Path, key: str) -> None:
        self._folder, self._name = folder, hashlib.sha256(key.encode()).hexdigest()[:16]

    def forbid(self, micro_batch: int) -> bool:
        """Whether :data:`ENOUGH` processes died with so many patches at once, or with fewer."""
        return sum(died_with <= micro_batch for _, died_with in self._of_the_dead()) >= ENOUGH

    @contextlib.contextmanager
    def risk(self, micro_batch: int) -> Iterator[None]:
        """Leaves a note as long as the work lasts.

        Work that ends well removes the notes of processes that died with as few patches, or fewer.

        Args:
            micro_batch: Patches at once.
        """
        note = self._folder / f"{self._name}-{micro_batch}-{os.urandom(8).hex()}"
        with _left(note):
            yield
        for path, died_with in self._of_the_dead():
            if died_with <= micro_batch:
                with contextlib.suppress(OSError):  # another user's, perhaps
                    path.unlink()

    def _of_the_dead(self) -> Iterator[tuple[Path, int]]:
        for path in self._folder.glob(f"{self._name}-*"):
            # No note is worth an evaluation: one that cannot be read tells of nothing.
            with contextlib.suppress(OSError, ValueError):
                if not path.is_file():
                    continue
                if time.time() - path.stat().st_mtime > FORGOTTEN_AFTER:
                    path.unlink()
                elif _is_unlocked(path):
                    yield path, int(path.name.split("-")[1])


@contextlib.contextmanager
def _left(note: Path) -> Iterator[None]:
    """Leaves a locked file that goes unless this process dies; none if it cannot be written."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):
            # Hidden until it is locked: without a lock it looks like the note of a death.
            with whole_file(note, durable=False) as hidden:
                file = stack.enter_context(hidden.open("wb"))
                fcntl.flock(file, fcntl.LOCK_EX)
            stack.callback(note.unlink, missing_ok=True)
        yield


def _is_unlocked(path: Path) -> bool:
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True
