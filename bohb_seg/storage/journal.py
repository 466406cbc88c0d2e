"""The journal of a run: one JSON line per entry; reading it is replaying the run.

One line per entry: ``{"time": 1760000000.0, "kind": "Evaluated", ...its fields}``. Lines are
appended and fsynced before anything acts on them. A crash can tear only the last line, which is
dropped with a warning; any other line that is no entry is an error that names file and line. NaN
and infinity never occur.
"""

import dataclasses
import fcntl
import io
import json
import logging
import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from pydantic import TypeAdapter, ValidationError

from bohb_seg.errors import JournalError, SettingsError, printable
from bohb_seg.search.events import Evaluated, News, Order, Settled
from bohb_seg.settings import with_present_names
from bohb_seg.trials import Observation

FILE_NAME = "events.jsonl"
_BLOCK = 1 << 18
"""Bytes that are first read of the end of a journal."""

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
        worker: Digest of the worker's file, "" if the worker belongs to the package; None in runs
            that began before it was recorded.
    """

    settings: Mapping[str, Any]
    space: Mapping[str, Any]
    data: Mapping[str, Any]
    default: Mapping[str, Any]
    earlier: tuple[Observation, ...] = ()
    worker: str | None = None

    def __post_init__(self) -> None:
        # A run that an earlier version began has other names for some values.
        object.__setattr__(self, "settings", with_present_names(self.settings))


@dataclass(frozen=True)
class RunResumed:
    """A new master took over: the workers it knew are gone until they are found again."""


Event = RunStarted | RunResumed | News | Order

_HALVES = re.compile("[\ud800-\udfff]")
"""Halves of characters, which JSON can write and nothing can encode."""
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
    """The journal of a running master, open for appending."""

    def __init__(self, path: Path) -> None:
        """Opens ``path``; cuts off a torn last line first.

        Raises:
            SettingsError: another master has it open.
            OSError: the file cannot be written.
        """
        self.path = path
        self._file = path.open("ab", buffering=0)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SettingsError(
                f"--run-dir {path.parent} is in use by another master; end it, or wait until it"
                " has ended"
            ) from None
        self._whole = _whole_length(path)
        if self._file.tell() != self._whole:
            self._file.truncate(self._whole)

    def append(self, events: Iterable[Event]) -> list[Entry]:
        """Writes events durably and returns them as entries; a crash may leave the first few.

        Raises:
            OSError: they could not be written, e.g. because the disk is full; none is there then.
        """
        now = time.time()
        entries = [Entry(now, event) for event in events]
        if entries:
            self._write(b"".join(_encode(entry) for entry in entries))
        return entries

    def _write(self, lines: bytes) -> None:
        try:
            rest = memoryview(lines)
            while rest:
                rest = rest[self._file.write(rest) :]
            os.fsync(self._file.fileno())
        except OSError:
            self._file.truncate(self._whole)
            raise
        self._whole += len(lines)

    def close(self) -> None:
        """Closes the file; nothing is pending, for every append is durable."""
        self._file.close()


def read(path: Path) -> list[Entry]:
    """Reads a journal, also of a run that is still alive.

    Raises:
        JournalError: a line other than a torn last one is damaged.
        OSError: the file cannot be read.
    """
    text = path.read_bytes()
    lines = io.BytesIO(text).readlines()
    if lines and not lines[-1].endswith(b"\n"):
        _log.warning("%s: dropped the torn last line %d", path, len(lines))
        lines.pop()
    return [_decode(path, number, line) for number, line in enumerate(lines, start=1)]


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
            entries[place] = _decode(path, 0, line)
        except JournalError as error:
            number = path.read_bytes()[:place].count(b"\n") + 1
            raise JournalError(path, number, error.reason) from None
        place += len(line) + 1
    return entries


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


def _end(path: Path, count: int) -> tuple[int, bytes]:
    """The end of a file with more than ``count`` ends of lines, or all of it, and its place."""
    length = _BLOCK
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        while True:
            start = max(0, size - length)
            file.seek(start)
            text = file.read(size - start)
            if start == 0 or text.count(b"\n") > count:
                return start, text
            length *= 2


def _whole_length(path: Path) -> int:
    text = path.read_bytes()
    return text.rfind(b"\n") + 1


def _encode(entry: Entry) -> bytes:
    fields = {
        field.name: getattr(entry.event, field.name) for field in dataclasses.fields(entry.event)
    }
    record = {"time": entry.time, "kind": type(entry.event).__name__, **fields}
    return json.dumps(record, allow_nan=False, separators=(",", ":")).encode() + b"\n"


def _decode(path: Path, number: int, line: bytes) -> Entry:
    try:
        record = json.loads(line)
        if b"\\ud" in line:
            record = _whole_characters(record)
        when, kind = float(record.pop("time")), record.pop("kind")
        if unknown := record.keys() - {f.name for f in dataclasses.fields(_KINDS[kind])}:
            raise ValueError(f"unknown field {min(unknown)}")
        return Entry(when, _ADAPTERS[kind].validate_python(record))
    except (ValueError, KeyError, TypeError, AttributeError, ValidationError) as error:
        reason = str(error).splitlines()[0]
        raise JournalError(path, number, f"not an entry of a journal ({reason})") from None


def _whole_characters(value: Any) -> Any:
    """A value whose texts can be encoded: bytes that are not UTF-8 (of a file's name) are shown."""
    match value:
        case str():
            return _HALVES.sub(lambda half: printable(half[0]), value)
        case dict():
            return {_whole_characters(key): _whole_characters(its) for key, its in value.items()}
        case list():
            return [_whole_characters(each) for each in value]
    return value
