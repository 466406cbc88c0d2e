"""What a process could not say because it died: a note that it leaves before, and takes away after.

TensorFlow does not report that a processor's memory is full, its kernels crash; and a container
that takes too much is killed. So before each piece of work a note is left on this machine, locked
for as long as its writer lives. A note without a lock is that of a death. One may have any reason;
after two in a row, with nothing finished between them, so many patches at once do not fit.
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
"""Seconds: what else took memory on this machine may be gone by then."""


@final
class Deaths:
    """The notes of one kind of work on this machine.

    Args:
        folder: On this machine's own disk; all its workers share it.
        key: Kind of device and shape of the network.
    """

    def __init__(self, folder: Path, key: str) -> None:
        self._folder, self._name = folder, hashlib.sha256(key.encode()).hexdigest()[:16]

    def forbid(self, micro_batch: int) -> bool:
        """Whether at least :data:`ENOUGH` died of so many patches at once, or of fewer."""
        return sum(died_of <= micro_batch for _, died_of in self._of_the_dead()) >= ENOUGH

    @contextlib.contextmanager
    def risk(self, micro_batch: int) -> Iterator[None]:
        """Leaves a note for as long as the work lasts; having lived disproves others' notes."""
        note = self._folder / f"{self._name}-{micro_batch}-{os.urandom(8).hex()}"
        with _written(note):
            yield
        for path, died_of in self._of_the_dead():
            if died_of <= micro_batch:
                path.unlink(missing_ok=True)

    def _of_the_dead(self) -> Iterator[tuple[Path, int]]:
        for path in self._folder.glob(f"{self._name}-*"):
            with contextlib.suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > FORGOTTEN_AFTER:
                    path.unlink()
                elif _is_unlocked(path):
                    yield path, int(path.name.split("-")[1])


@contextlib.contextmanager
def _written(note: Path) -> Iterator[None]:
    """A locked file that goes when we do not die; without room on the disk there is none."""
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
