"""The journal of a run: one JSON line per entry; reading it is replaying the run.

:mod:`bohb_seg.storage.journal_entries` has the form of the lines. They are appended and fsynced
before anything acts on them. A crash can tear only the last line, which is dropped with a warning;
any other line that is no entry is an error that names file and line.

Only the master that has the lock appends (``run_lock``). Before every line it makes sure that the
file is still the journal, and as long as it left it.
"""

import io
import logging
import os
import time
from collections.abc import Iterable, Sequence
from itertools import count
from pathlib import Path

from bohb_seg.errors import JournalError, RunLostError
from bohb_seg.files import LARGEST_RECORD, open_regular, read_regular, write_whole
from bohb_seg.storage import checked_lines
from bohb_seg.storage.journal_entries import Entry, Event, decode, encode
from bohb_seg.storage.run_lock import RunLock, TakeOver

FILE_NAME = "events.jsonl"
_BLOCK = 1 << 18
"""Bytes that are first read of the end of a journal."""

_log = logging.getLogger(__name__)


class Journal:
    """The journal of a running master, open for appending, and locked.

    Args:
        path: The file; made if it is not there. A torn last line is cut off.
        take_over: Locks of other machines that are taken over.

    Raises:
        SettingsError: another master has it open.
        OSError: the file cannot be written.
    """

    def __init__(self, path: Path, take_over: TakeOver = "never") -> None:
        self.path = path
        self._lock = RunLock(path, take_over)
        self._file = self._lock.file
        try:
            self._is_torn = False
            self._cut()
        except BaseException:
            self.close()
            raise

    @property
    def is_empty(self) -> bool:
        """Whether nothing has been written yet."""
        return not self._whole

    def read(self) -> list[Entry]:
        """Reads the whole journal; nobody else can write it meanwhile.

        Raises:
            JournalError: a line is damaged.
        """
        return _entries(self.path, self._content())

    def lines(self) -> list[bytes]:
        """Lines of the journal, whatever is in them."""
        return io.BytesIO(self._content()).readlines()

    def check(self) -> None:
        """Makes sure that the file is still the journal, and as this master left it.

        Raises:
            RunMissingError: the journal is not where it was; it may come back.
            RunLostError: another process has written the journal, or put another in its place.
            OSError: the file cannot be looked at, or what a full disk left of a line not removed.
        """
        self._lock.check()
        if self._is_torn:
            self._file.truncate(self._whole)
            self._is_torn = False
        descriptor, last = self._file.fileno(), self._last
        is_ours = os.fstat(descriptor).st_size == self._whole
        if not is_ours or os.pread(descriptor, len(last), self._whole - len(last)) != last:
            raise RunLostError(
                f"{self.path} was written by another process while this master had it; it ends,"
                f" and 'bohb-master --repair --run-dir {self.path.parent}' tells what can be kept",
                is_taken=True,
            )

    def append(self, events: Iterable[Event]) -> list[Entry]:
        """Writes events durably and returns them as entries; a crash may leave the first few.

        Raises:
            RunLostError: the file is not this master's any more, see :meth:`check`.
            OSError: they could not be written, e.g. because the disk is full; none is there then.
        """
        now = time.time()
        entries = [Entry(now, event) for event in events]
        lines = [encode(entry) for entry in entries]
        if lines:
            self.check()
            self._write(lines)
        return entries

    def replace(self, content: bytes) -> Path:
        """Writes the journal anew and keeps the old one; to be closed and opened again then.

        Returns:
            The copy of the old one.

        Raises:
            OSError: one of them cannot be written; the journal is as it was.
        """
        self.check()
        names = (self.path.with_name(f"{self.path.name}.{number}") for number in count(1))
        copy = next(name for name in names if not name.exists())
        write_whole(copy, self._content())
        write_whole(self.path, content)
        return copy

    def rescue(self) -> tuple[Path, bool]:
        """Finds the journal that is not in its place any more, or writes it there again.

        Returns:
            Where it is now, and whether it had been removed and was written again.

        Raises:
            OSError: it was removed, and cannot be written again.
        """
        if moved := self._lock.whereabouts():
            return moved, False
        if not self.path.exists():
            write_whole(self.path, self._content())
        return self.path, True

    def close(self) -> None:
        """Closes the file; nothing is pending, for every append is durable."""
        self._lock.release()

    def _write(self, lines: Sequence[bytes]) -> None:
        try:
            rest = memoryview(b"".join(lines))
            self._is_torn = True
            while rest:
                rest = rest[self._file.write(rest) :]
            os.fsync(self._file.fileno())
        except OSError:
            self._file.truncate(self._whole)
            self._is_torn = False
            raise
        self._is_torn = False
        self._whole += sum(map(len, lines))
        self._last = lines[-1]

    def _cut(self) -> None:
        """Leaves whole lines only."""
        content = self._content()
        whole = checked_lines.whole(content)
        if whole != content:
            end = content.rfind(b"\n") + 1
            self._file.truncate(end)
            self._file.write(whole[end:])
        self._whole = len(whole)
        self._last = whole[whole.rfind(b"\n", 0, -1) + 1 :]

    def _content(self) -> bytes:
        self._file.seek(0)
        return self._file.readall()


def read(path: Path) -> list[Entry]:
    """Reads a journal, also of a run that is still alive.

    Raises:
        JournalError: a line other than a torn last one is damaged.
        OSError: the file cannot be read.
    """
    return _entries(path, read_regular(path, LARGEST_RECORD))


def tail(path: Path, count: int) -> dict[int, Entry]:
    """The last ``count`` entries by the place of their line; a torn last line is left out.

    The file is read from its end, so that a long journal takes no longer than a short one.

    Returns:
        Entries by the number of bytes in the file before their line, oldest first.

    Raises:
        JournalError: one of them is damaged.
        OSError: the file cannot be read.
    """
    start, text = _end(path, count)
    *lines, torn = text.split(b"\n")
    lines = lines[-count:]
    place = start + len(text) - len(torn) - sum(len(line) + 1 for line in lines)
    entries: dict[int, Entry] = {}
    for line in lines:
        try:
            entries[place] = decode(path, 0, line)
        except JournalError as error:
            number = read_regular(path, LARGEST_RECORD)[:place].count(b"\n") + 1
            raise JournalError(path, number, error.reason) from None
        place += len(line) + 1
    return entries


def _end(path: Path, count: int) -> tuple[int, bytes]:
    """The end of a file with more than ``count`` ends of lines, or all of it, and its place."""
    length = _BLOCK
    with open_regular(path, LARGEST_RECORD) as file:
        size = os.fstat(file.fileno()).st_size
        while True:
            start = max(0, size - length)
            file.seek(start)
            text = file.read(size - start)
            if start == 0 or text.count(b"\n") > count:
                return start, text
            length *= 2


def _entries(path: Path, content: bytes) -> list[Entry]:
    whole = checked_lines.whole(content)
    lines = io.BytesIO(whole).readlines()
    if len(whole) < len(content):
        _log.warning("%s: dropped the torn last line %d", path, len(lines) + 1)
    return [decode(path, number, line) for number, line in enumerate(lines, start=1)]
