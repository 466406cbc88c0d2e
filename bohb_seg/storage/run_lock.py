"""The one master that may write a run: a lock on its journal, and a file that tells whose it is.

- A master locks the open journal for as long as it lives. The kernel frees the lock with the
  process, and a stopped process keeps it.
- ``master.json`` tells host, process and time of the holder, and is removed at a proper end. If it
  lies beside a journal that nobody has locked, its master was killed. On the same machine that is
  certain. On another one it is not: the locks of some network file systems end at the machine.
- The lock of another machine is taken over knowingly, by ``--take-over``, or by ``--restartable``
  if the kernel says that it is free. The journal is then replaced by a copy of itself: should the
  old master live, it sees before its next line that its file is the journal no more.
"""

import contextlib
import errno
import fcntl
import json
import logging
import os
import shutil
import socket
import time
from dataclasses import asdict, dataclass
from datetime import datetime
from io import FileIO
from pathlib import Path
from typing import Final, Literal, Self, final

from bohb_seg.errors import RunLostError, RunMissingError, SettingsError
from bohb_seg.files import (
    LARGEST_RECORD,
    open_regular,
    read_regular,
    refuse_foreign_link,
    write_whole,
)

FILE_NAME: Final = "master.json"
"""File of a run directory that tells which master writes the run."""
TakeOver = Literal["never", "free", "always"]
"""Locks of other machines that are taken over: those that the kernel has freed, or all."""

_NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS})
_GONE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ESTALE})
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Holder:
    """A master that has, or had, a run.

    Args:
        host: Name of its machine.
        process: Number of its process there.
        kernel: Identity of the running kernel; containers of one machine share it.
        time: Unix time in seconds at which it took the run.
    """

    host: str
    process: int
    kernel: str
    time: float

    @classmethod
    def this(cls) -> Self:
        """The process that asks."""
        return cls(socket.gethostname(), os.getpid(), kernel(), time.time())

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """The holder of a run directory; None if nobody is named, or not legibly."""
        try:
            told = json.loads(read_regular(folder / FILE_NAME))
            names = {name: str(told[name]) for name in ("host", "kernel")}
            return cls(process=int(told["process"]), time=float(told["time"]), **names)
        except (OSError, ValueError, TypeError, KeyError, OverflowError, RecursionError):
            return None

    @property
    def is_here(self) -> bool:
        """Whether it ran on this machine, so that the kernel's word about its lock is the truth."""
        return self.host == socket.gethostname() or self._shares_kernel

    @property
    def may_live_elsewhere(self) -> bool:
        """Whether the lock may be kept for a machine that is lost: not for this kernel."""
        return not self._shares_kernel

    @property
    def _shares_kernel(self) -> bool:
        return bool(self.kernel) and self.kernel == kernel()

    def __str__(self) -> str:
        try:
            since = f"{datetime.fromtimestamp(self.time):%Y-%m-%d %H:%M:%S}"
        except (ValueError, OverflowError, OSError):
            since = "an unknown time"
        return f"process {self.process} on {self.host!r} since {since}"


@final
class RunLock:
    """An open journal that this master alone may write.

    Args:
        path: The journal; made if it is not there.
        take_over: Locks of other machines that are taken over.

    Raises:
        SettingsError: another master has it, or may have it.
        OSError: the file cannot be written.
    """

    def __init__(self, path: Path, take_over: TakeOver = "never") -> None:
        self._path = path
        file = _opened(path)
        try:
            if self._must_be_broken(file, take_over):
                file.close()
                _replace_by_copy(path)
                file = _opened(path)
                if not _lock(file):
                    raise _in_use(path.parent, Holder.read(path.parent))
            self.file = file
            self._holder = Holder.this()
            self.check()
            told = json.dumps(asdict(self._holder)) + "\n"
            write_whole(path.parent / FILE_NAME, told, durable=False, within=path.parent)
        except BaseException:
            file.close()
            raise

    def check(self) -> None:
        """Makes sure that the locked file is still the journal.

        Raises:
            RunMissingError: there is no journal any more where it was.
            RunLostError: another file is there.
            OSError: the place cannot be looked at.
        """
        try:
            is_ours = os.path.samestat(self._path.stat(), os.fstat(self.file.fileno()))
        except OSError as error:
            if error.errno in _GONE:
                raise RunMissingError(f"{self._path} is gone; put it back") from None
            raise
        if not is_ours:
            other = Holder.read(self._path.parent)
            taken = other is not None and other != self._holder
            who = f"taken over by {other}" if taken else "replaced by another file"
            raise RunLostError(
                f"{self._path} was {who} while this master wrote it; it ends, and what it wrote"
                f" since is not in the run",
                is_taken=taken,
            )

    def whereabouts(self) -> Path | None:
        """Present path of the locked file if it was moved; None if it was removed, or unknown."""
        try:
            moved = Path(f"/proc/self/fd/{self.file.fileno()}").readlink()
            same = os.path.samestat(moved.stat(), os.fstat(self.file.fileno()))
        except OSError:
            return None
        return moved if same and moved != self._path.absolute() else None

    def release(self) -> None:
        """Gives the run free."""
        try:
            if Holder.read(self._path.parent) == self._holder:
                (self._path.parent / FILE_NAME).unlink(missing_ok=True)
        except OSError as error:
            _log.debug("%s is left behind (%s)", FILE_NAME, error.strerror)
        self.file.close()

    def _must_be_broken(self, file: FileIO, take_over: TakeOver) -> bool:
        """Takes the lock, or returns True if it is one of a lost machine.

        Raises:
            SettingsError: it is taken, or may be.
        """
        folder = self._path.parent
        is_free = _lock(file)
        holder = Holder.read(folder)
        if is_free and (holder is None or holder.is_here):
            return False
        knowingly = take_over == "always" or (is_free and take_over == "free")
        if holder is None or not holder.may_live_elsewhere or not (is_free or knowingly):
            raise _in_use(folder, holder)
        if not knowingly:
            raise SettingsError(
                f"--run-dir {folder} was left by a master, {holder}, which may still be at work;"
                " if that process or its machine is gone, add --take-over"
            )
        _log.warning("taking over %s from a master, %s", folder, holder)
        return True


def _opened(path: Path) -> FileIO:
    refuse_foreign_link(path)
    with contextlib.suppress(FileNotFoundError), open_regular(path, LARGEST_RECORD):
        pass  # a pipe or a device would be opened, too, and never come to its end
    return path.open("a+b", buffering=0)


def _lock(file: FileIO) -> bool:
    """Locks an open file; False if another process has it.

    Raises:
        OSError: the file cannot be locked.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        _log.warning("this file system knows no locks: let no second master write this run")
    return True


def _in_use(folder: Path, holder: Holder | None) -> SettingsError:
    who = f", {holder}" if holder else ""
    lost = holder is not None and holder.may_live_elsewhere
    hint = "; if its machine is lost, add --take-over" if lost else ""
    return SettingsError(
        f"--run-dir {folder} is in use by another master{who}; end it, or wait until it has"
        f" ended{hint}"
    )


def _replace_by_copy(path: Path) -> None:
    with path.open("rb") as source:
        write_whole(path, lambda target: shutil.copyfileobj(source, target))


def kernel() -> str:
    """Identity of the running kernel, another one after each boot; "" if it is not known."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""
