"""The journal of a run, told to a fresh scheduler: it then is where the killed master's was.

The scheduler is told the news, and its orders must be those of the journal. If they are not, there
are three causes. The journal contradicts itself: two masters wrote it. A setting was edited. Or the
orders followed from other rules: an earlier version, another sampler, another version of a library.
Only then the run goes on, from its results, and the journal has a line about it.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bohb_seg.errors import JournalError, SettingsError
from bohb_seg.search.events import Evaluated, Order, PlanChanged, StopRequested, WorkersChanged
from bohb_seg.search.restoration import Record
from bohb_seg.search.scheduler import Scheduler
from bohb_seg.storage import settings_record
from bohb_seg.storage.consistency import Consistency
from bohb_seg.storage.journal_entries import Entry, Event, RulesChanged, RunResumed, RunStarted

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Replayed:
    """A run as far as its journal goes.

    Args:
        scheduler: Has been told all of the past.
        due: Orders that follow, but that a crash kept from the journal.
        changes: Entries that the journal must have before them.
    """

    scheduler: Scheduler
    due: Sequence[Order]
    changes: Sequence[Event] = ()


class _PartedError(Exception):
    """The journal has another order than the scheduler.

    Args:
        line: Line of the journal, from 1.
    """

    def __init__(self, line: int, reason: str) -> None:
        self.line, self.reason = line, reason
        super().__init__(reason)


def replay(fresh: Callable[[], Scheduler], past: Sequence[Entry], journal: Path) -> Replayed:
    """Tells a scheduler all past news.

    Args:
        fresh: Makes a scheduler that has heard no news yet.
        past: The journal.
        journal: Its file, for the message of an error.

    Raises:
        JournalError: the recorded orders contradict each other.
        SettingsError: a setting of the run was edited.
    """
    scheduler = fresh()
    try:
        return Replayed(scheduler, _follow(scheduler, past))
    except _PartedError as error:
        return _go_on_from_results(fresh, past, journal, error)


def _follow(scheduler: Scheduler, past: Sequence[Entry]) -> list[Order]:
    due: list[Order] = []
    changes = [line for line, each in enumerate(past) if isinstance(each.event, RulesChanged)]
    begin = changes[-1] + 1 if changes else 0
    if changes:
        due += _restored(scheduler, past[:begin])
    for line, entry in enumerate(past[begin:], start=begin + 1):
        match entry.event:
            case WorkersChanged() | Evaluated() | StopRequested() | PlanChanged() as news:
                try:
                    due += scheduler.handle(news)
                except Exception as error:  # under other rules, anything may be impossible
                    reason = f"this news contradicts earlier ones ({error})"
                    raise _PartedError(line, reason) from error
            case RunStarted() | RunResumed() | RulesChanged():
                pass
            case order:
                if not due or due.pop(0) != order:
                    raise _PartedError(line, "this order does not follow from the news")
    return due


def _restored(scheduler: Scheduler, past: Sequence[Entry]) -> list[Order]:
    events = (entry.event for entry in past)
    of_search = (e for e in events if not isinstance(e, RunStarted | RunResumed | RulesChanged))
    return scheduler.restore(Record.of(of_search, scheduler.plan))


def _go_on_from_results(
    fresh: Callable[[], Scheduler], past: Sequence[Entry], journal: Path, parted: _PartedError
) -> Replayed:
    reason = parted.reason.splitlines()[0]
    if objection := Consistency().first_objection(entry.event for entry in past):
        raise JournalError(journal, parted.line, f"{reason}: {objection}", True)
    start = past[0].event
    assert isinstance(start, RunStarted)
    if edit := settings_record.edited(journal.parent, start.settings):
        raise SettingsError(
            f"--resume: the run in {journal.parent} has {edit}, so what it did no longer follows"
            " from its settings; undo the edit, or start a new run with other settings"
        )
    scheduler = fresh()
    try:
        due = _restored(scheduler, past)
    except Exception as error:  # whatever the rules were, the file is not to blame alone
        raise JournalError(journal, parted.line, f"{reason}, nor from other rules") from error
    versions = settings_record.other_versions(journal.parent)
    why = f"line {parted.line}: {reason}" + (f"; {versions}" if versions else "")
    _log.warning(
        "%s was written by other rules, by those of another version or another sampler (%s);"
        " going on from its results",
        *(journal, why),
    )
    return Replayed(scheduler, due, [RulesChanged(why)])
