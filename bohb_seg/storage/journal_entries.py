"""Entries of a journal: events of the run and of its masters, and the form of their lines.

One line per entry: ``{"time": 1760000000.0, "kind": "Evaluated", ...its fields, "check": ...}``.
The check is the CRC-32, in hex, of the line without it, so that a damaged or edited line is never
taken for another; lines of earlier versions have none. NaN and infinity never occur.
"""

import dataclasses
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, get_args

from pydantic import TypeAdapter, ValidationError

from bohb_seg.errors import JournalError, printable
from bohb_seg.search.events import Evaluated, News, Order, Settled
from bohb_seg.settings import of_record
from bohb_seg.storage import checked_lines
from bohb_seg.trials import Observation

_LATEST: Final = 1e11
"""Unix time in seconds after every possible entry, in the year 5138."""


@dataclass(frozen=True)
class RunStarted:
    """The first entry of every journal.

    Args:
        settings: The merged settings (:class:`bohb_seg.settings.SearchSettings`) as plain values,
            without the folder of the cache, which each machine chooses.
        space: The search space in ConfigSpace's own JSON form.
        data: Findings of ``bohb-data check``: fingerprint, split hash, classes, number of patches.
        default: The configuration that the incumbent is compared with: the default, or the
            baseline that was given.
        earlier: Observations of earlier runs, which the optimizer learnt before its first
            suggestion.
        worker: Digest of the worker's file, "" if the worker belongs to the package; None in runs
            that began before it was recorded.
        deadline: With ``--hours``: the moment from which they count, and what was measured, see
            :mod:`bohb_seg.master.deadline`; empty without.
        baseline: What ``--baseline`` was given; "" if the default is the default.
        first: Configurations that the search tries first; none: the default.
        prior: Observations of each run on other data from which the optimizer guesses where to
            begin.
        unsearched: Values that training takes for hyperparameters that the space does not have;
            recorded where a baseline was given, whose hyperparameters may be others.
    """

    settings: Mapping[str, Any]
    space: Mapping[str, Any]
    data: Mapping[str, Any]
    default: Mapping[str, Any]
    earlier: tuple[Observation, ...] = ()
    worker: str | None = None
    baseline: str = ""
    first: tuple[Mapping[str, Any], ...] = ()
    prior: tuple[tuple[Observation, ...], ...] = ()
    unsearched: Mapping[str, Any] = field(default_factory=dict)
    deadline: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # A run that an earlier version began has other names for some values.
        object.__setattr__(self, "settings", of_record(self.settings))


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


def encode(entry: Entry) -> bytes:
    """One line, with its end and its check; decoded as :func:`decode` does."""
    fields = {
        field.name: getattr(entry.event, field.name) for field in dataclasses.fields(entry.event)
    }
    record = {"time": entry.time, "kind": type(entry.event).__name__, **fields}
    text = json.dumps(record, allow_nan=False, separators=(",", ":"), default=dataclasses.asdict)
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
        if b"\\ud" in line:
            record = _whole_characters(record)
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
