"""The journal of a run, told to a fresh scheduler: it then is where the killed master's was."""

from collections.abc import Sequence
from pathlib import Path

from bohb_seg.errors import JournalError
from bohb_seg.search.events import Evaluated, Order, StopRequested, WorkersChanged
from bohb_seg.search.scheduler import Scheduler
from bohb_seg.storage.journal import Entry, RunResumed, RunStarted


def replay(scheduler: Scheduler, past: Sequence[Entry], journal: Path) -> list[Order]:
    """Tells the scheduler all past news; returns the orders that a crash kept from the journal.

    Args:
        scheduler: Has heard no news yet.
        past: The journal.
        journal: Its file, for the message of an error.

    Raises:
        JournalError: the recorded orders are not those that follow from the news.
    """
    due: list[Order] = []
    for line, entry in enumerate(past, start=1):
        match entry.event:
            case WorkersChanged() | Evaluated() | StopRequested() as news:
                due += scheduler.handle(news)
            case RunStarted() | RunResumed():
                pass
            case order:
                if not due or due.pop(0) != order:
                    raise JournalError(journal, line, "this order does not follow from the news")
    return due
