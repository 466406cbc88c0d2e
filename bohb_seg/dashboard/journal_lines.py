"""The entries of the journal as sentences for people."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, assert_never

from bohb_seg.errors import printable
from bohb_seg.report.wording import decimals
from bohb_seg.rpc.names import worker_name
from bohb_seg.search.events import (
    BracketFinished,
    Discard,
    Evaluate,
    Evaluated,
    Finish,
    IncumbentChosen,
    PlanChanged,
    Settled,
    StopRequested,
    WorkersChanged,
)
from bohb_seg.storage.journal_entries import Entry, Event, RulesChanged, RunResumed, RunStarted
from bohb_seg.trials import (
    FINAL_PHASES,
    evaluation_name,
    trial_name,
)

Look = Literal["news", "order", "bad"]


@dataclass(frozen=True)
class JournalLine:
    """An entry for people.

    Args:
        place: Number of bytes in the journal before its line.
        time: Time of day, UTC.
        look: How the page shows it.
    """

    place: int
    time: str
    look: Look
    text: str


def journal_line(place: int, entry: Entry) -> JournalLine:
    """Words for the entry whose line begins after ``place`` bytes of the journal."""
    time = f"{datetime.fromtimestamp(entry.time, UTC):%H:%M:%S}"
    return JournalLine(place, time, _look(entry.event), printable(_text(entry.event)))


def phase(events: Iterable[Event]) -> str:
    """The phase that a run is in, by its latest events."""
    for event in reversed(list(events)):
        match event:
            case Finish():
                return "finished"
            case Evaluate() | Evaluated() | Settled():
                return FINAL_PHASES.get(event.evaluation.trial.bracket, "search")
    return "waiting for workers"


def _look(event: Event) -> Look:
    match event:
        case Evaluated(outcome="crashed" | "diverged", given_up=False):
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
        case RulesChanged():
            return f"the rules have changed; the run goes on from its results: {event.reason}"
        case WorkersChanged():
            return _workers(event)
        case StopRequested():
            return f"no new configurations: {event.reason}"
        case PlanChanged():
            return f"the plan has changed: {event.reason}"
        case Finish():
            return f"finished: {event.reason}"
        case Evaluate() | Evaluated() | Settled():
            return f"{evaluation_name(event.evaluation)}: {_progress(event)}"
        case Discard():
            is_final = event.trial.bracket in FINAL_PHASES
            name = trial_name(event.trial)
            return f"{name}: done" if is_final else f"trial {name}: goes no further"
        case BracketFinished():
            return f"bracket {event.bracket}: finished"
        case IncumbentChosen():
            return f"trial {trial_name(event.trial)}: the incumbent, compared with the default"
    assert_never(event)


def _workers(event: WorkersChanged) -> str:
    left = [f"worker {worker_name(each)} left" for each in event.left]
    joined = [f"worker {worker_name(each)} joined" for each in event.joined]
    return "; ".join([*left, *joined])


def _progress(event: Evaluate | Evaluated | Settled) -> str:
    match event:
        case Evaluate():
            again = f", attempt {event.attempt}" if event.attempt > 1 else ""
            return f"given to {worker_name(event.worker)}{again}"
        case Settled():
            return f"settled by attempt {event.attempt}"
        case Evaluated():
            return _outcome(event)
    assert_never(event)


def _outcome(event: Evaluated) -> str:
    if event.loss is not None:
        return f"loss {decimals(event.loss)}"
    reason = (event.error or "").strip().rpartition("\n")[2]
    if event.given_up:
        return "given up, nobody waited for its result any more"
    return f"{event.outcome} ({reason})" if reason else event.outcome
