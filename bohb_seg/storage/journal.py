"""The journal of a run: one JSON line per entry; reading it is replaying the run.

One line per entry: ``{"time": 1760000000.0, "kind": "Evaluated", ...its fields, "check": ...}``.
The check is the CRC-32, in hex, of the line without it, so that a damaged or edited line is never
taken for another; lines of earlier versions have none. Lines are appended and fsynced before
anything acts on them. A crash can tear only the last line, which is dropped with a warning; any
other line that is no entry is an error that names file and line. NaN and infinity never occur.

Only the master that has the lock appends (``run_lock``). Before every line it makes sure that the
file is still the journal, and as long as it left it.
"""

import dataclasses
import io
import json
import logging
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Final, get_args

from pydantic import TypeAdapter, ValidationError

from bohb_seg.errors import JournalError, RunLostError
from bohb_seg.files import write_whole
from bohb_seg.search.events import Evaluated, News, Order, Settled
from bohb_seg.settings import with_present_names
from bohb_seg.storage import checked_lines
from bohb_seg.storage.run_lock import RunLock, TakeOver
from bohb_seg.trials import Observation

FILE_NAME = "events.jsonl"

_LATEST: Final = 1e11
"""Unix time in seconds after every possible entry, in the year 5138."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunStarted:
    """The first entry of every journal.

    Args:
        settings: The merged settings (:class:`bohb_seg.settings.SearchSettings`) as plain values,
            without the folder of the cache, which each machine chooses.
        space: The search space in ConfigSpace's own JSON form.
        data: Findings of ``bohb-data check``: fingerprint, split hash, classes, number of patches.
        default: The default configuration.
        earlier: Observations of earlier runs, which the optimizer learnt before its first
            suggestion.
    """

    settings: Mapping[str, Any]
    space: Mapping[str, Any]
    data: Mapping[str, Any]
    default: Mapping[str, Any]
    earlier: tuple[Observation, ...] = ()

    def __post_init__(self) -> None:
        # A run that an earlier version began has other names for some values.
        object.__setattr__(self, "settings", with_present_names(self.settings))


@dataclass(frozen=True)
class RunResumed:
    """A new master took over: the workers it knew are gone until they are found again."""


@dataclass(frozen=True)
class RulesChanged:
    """The orders above do not follow from the news above by the rules of the present version.

    From here on they follow from the results above, whatever orders led to them.

    Args:
        reason: Where the rules part, in words.
    """

    reason: str


Event = RunStarted | RunResumed | RulesChanged | News | Order

_KINDS: Mapping[str, type] = {kind.__name__: kind for kind in get_args(Event)}
_ADAPTERS: Mapping[str, TypeAdapter[Any]] = {
    name: TypeAdapter(kind) for name, kind in _KINDS.items()
}


@dataclass(frozen=True)
class Entry:
    """One line of the journal: an event and its Unix time in seconds."""

    time: float
    event: Event


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
        lines = [_encode(entry) for entry in entries]
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
    return _entries(path, path.read_bytes())


def tail(path: Path, count: int) -> dict[int, Entry]:
    """The last ``count`` entries by the number of their line; a torn last line is left out.

    Raises:
        JournalError: one of them is damaged.
        OSError: the file cannot be read.
    """
    whole = path.read_bytes().split(b"\n")[:-1]
    lines = list(enumerate(whole, start=1))[-count:]
    return {number: decode(path, number, line) for number, line in lines}


def counted(entries: Iterable[Entry]) -> Iterator[tuple[Evaluated, float]]:
    """Yields the results that count: ``Evaluated`` news on which their ``Settled`` follows.

    Args:
        entries: A journal, or a part of one, oldest entry first.

    Yields:
        The news, and the Unix time in seconds at which they came. A ``Settled`` whose news are not
        among the entries yields nothing.
    """
    latest: tuple[Evaluated, float] | None = None
    for entry in entries:
        match entry.event:
            case Evaluated() as news:
                latest = news, entry.time
            case Settled() as order if latest is not None:
                news = latest[0]
                if (news.evaluation, news.attempt) == (order.evaluation, order.attempt):
                    yield latest


def _entries(path: Path, content: bytes) -> list[Entry]:
    whole = checked_lines.whole(content)
    lines = io.BytesIO(whole).readlines()
    if len(whole) < len(content):
        _log.warning("%s: dropped the torn last line %d", path, len(lines) + 1)
    return [decode(path, number, line) for number, line in enumerate(lines, start=1)]


def _encode(entry: Entry) -> bytes:
    fields = {
        field.name: getattr(entry.event, field.name) for field in dataclasses.fields(entry.event)
    }
    record = {"time": entry.time, "kind": type(entry.event).__name__, **fields}
    text = json.dumps(record, allow_nan=False, separators=(",", ":"))
    return checked_lines.checked(text.encode())


def decode(path: Path, number: int, line: bytes) -> Entry:
    """Reads one line.

    Args:
        path: File of the journal, for the message of an error.
        number: Number of the line, from 1.
        line: The line; those of earlier versions have no check.

    Raises:
        JournalError: it is no entry, or was changed after it had been written.
    """
    try:
        record = json.loads(checked_lines.unchecked(line))
        if checked_lines.FIELD in record:
            raise ValueError("its check says that it was changed after it had been written")
        when, kind = float(record.pop("time")), record.pop("kind")
        if not 0 <= when < _LATEST:
            raise ValueError(f"the time {when} cannot be")
        if unknown := record.keys() - {f.name for f in dataclasses.fields(_KINDS[kind])}:
            raise ValueError(f"unknown field {min(unknown)}")
        return Entry(when, _ADAPTERS[kind].validate_python(record))
    except (
        *(ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError),
        ValidationError,
    ) as error:
        reason = str(error).splitlines()[0]
        said = f"not an entry of a journal ({reason})"
        raise JournalError(path, number, said, repairable=number > 1) from None
