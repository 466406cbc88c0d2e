"""The journal's entries as sentences that people can read. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import assert_never

from bohb_seg.rpc.names import worker_name
from bohb_seg.search.events import (
    BracketFinished,
    Discard,
    Evaluate,
    Evaluated,
    Finish,
    Settled,
    StopRequested,
    WorkersChanged,
)
from bohb_seg.storage.journal import Entry, Event, RunResumed, RunStarted
from bohb_seg.trials import COMPARISON_BRACKET, RUNOFF_BRACKET, evaluation_name, trial_key


@dataclass(frozen=True)
class Line:
    """One entry.

    Args:
        number: Of its line in the journal, from 1.
        time: Of day, UTC.
        look: ``news``, ``order`` or ``bad``: how it is shown.
    """

    number: int
    time: str
    look: str
    text: str


def line(number: int, entry: Entry) -> Line:
    """What a line of the journal says."""
    time = f"{datetime.fromtimestamp(entry.time, UTC):%H:%M:%S}"
    return Line(number, time, _look(entry.event), _text(entry.event))


def phase(events: Iterable[Event]) -> str:
    """What a run is at, by its latest events."""
    for event in reversed(list(events)):
        match event:
            case Finish():
                return "finished"
            case Evaluate() | Evaluated() | Settled():
                return _phases.get(event.evaluation.trial.bracket, "search")
    return "waiting for workers"


_phases = {COMPARISON_BRACKET: "comparison", RUNOFF_BRACKET: "runoff"}


def _look(event: Event) -> str:
    match event:
        case Evaluated(outcome="crashed" | "diverged"):
            return "bad"
        case WorkersChanged(left=(_, *_)):
            return "bad"
        case Evaluate() | Settled() | Discard():
            return "order"
    return "news"


def _text(event: Event) -> str:
    match event:
        case RunStarted():
            return f"run {event.settings.get('run_id', '')} begins"
        case RunResumed():
            return "a new master goes on with the run"
        case WorkersChanged():
            return _workers(event)
        case StopRequested() | Finish():
            end = "finished" if isinstance(event, Finish) else "no new configurations"
            return f"{end}: {event.reason}"
        case Evaluated():
            return f"{evaluation_name(event.evaluation)}: {_outcome(event)}"
        case Evaluate():
            again = f", attempt {event.attempt}" if event.attempt > 1 else ""
            return (
                f"{evaluation_name(event.evaluation)}: given to {worker_name(event.worker)}{again}"
            )
        case Settled():
            return f"{evaluation_name(event.evaluation)}: settled by attempt {event.attempt}"
        case Discard():
            return f"trial {trial_key(event.trial)}: goes no further"
        case BracketFinished():
            return f"bracket {event.bracket}: finished"
    assert_never(event)


def _workers(event: WorkersChanged) -> str:
    left = [f"worker {worker_name(each)} left" for each in event.left]
    joined = [f"worker {worker_name(each)} joined" for each in event.joined]
    return "; ".join([*left, *joined])


def _outcome(event: Evaluated) -> str:
    if event.loss is not None:
        return f"loss {event.loss:.4f}"
    reason = (event.error or "").strip().rpartition("\n")[2]
    return f"{event.outcome} ({reason})" if reason else event.outcome
