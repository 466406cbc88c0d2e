"""Replays a journal into the records of a run.

The report is derived from ``events.jsonl`` alone, so a live or broken run reads as well as a
finished one. An attempt counts if, and only if, ``Settled`` names it. A result for which nobody
waits any more is dropped, as the scheduler drops it: its attempt was *late*. A *lost* attempt goes
on when its worker comes back, unless another attempt took over.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bohb_seg.errors import SettingsError
from bohb_seg.report.analysis.cleaning import cleaned
from bohb_seg.report.analysis.records import AttemptRecord, EvaluationRecord, Presence, RunRecord
from bohb_seg.search.events import (
    Discard,
    Evaluate,
    Evaluated,
    Finish,
    PlanChanged,
    Settled,
    StopRequested,
    WorkersChanged,
)
from bohb_seg.storage import journal, journal_entries
from bohb_seg.storage.compared import compared, latest_plan
from bohb_seg.storage.journal_entries import Entry, RulesChanged, RunResumed, RunStarted
from bohb_seg.trials import (
    COMPARISON_BRACKET,
    FOLDS_BRACKET,
    RUNOFF_BRACKET,
    Attempt,
    EvaluationId,
    TrialId,
)

_UNWANTED = "nobody waited for its result any more"


def read(run_dir: Path) -> RunRecord:
    """Reads the journal of ``run_dir``.

    Raises:
        SettingsError: this is no run directory, or its run has not started yet.
        JournalError: the journal is damaged.
    """
    path = run_dir / journal.FILE_NAME
    if not path.is_file():
        raise SettingsError(
            f"{run_dir} is not a run directory: it has no {journal.FILE_NAME};"
            " give the directory that bohb-master printed, e.g. results/<run-id>"
        )
    return replay(run_dir, journal.read(path))


def replay(run_dir: Path, entries: Sequence[Entry]) -> RunRecord:
    """Makes the records of a run out of the entries of its journal.

    Raises:
        SettingsError: the journal does not begin with the start of a run.
    """
    entries = [cleaned(entry) for entry in entries]
    started = entries[0].event if entries else None
    if not isinstance(started, RunStarted):
        raise SettingsError(
            f"{run_dir / journal.FILE_NAME} holds no started run yet; wait until bohb-master"
            " has started its search"
        )
    attempts = _Replay(journal_entries.counted(entries))
    for entry in entries:
        attempts.apply(entry)
    evaluations = _records(attempts)
    return RunRecord(
        directory=run_dir,
        started=started,
        begin=entries[0].time,
        end=entries[-1].time,
        attempts=tuple(attempts.known.values()),
        evaluations=tuple(e for e in evaluations if e.id.trial.bracket >= 0),
        runoff=tuple(e for e in evaluations if e.id.trial.bracket == RUNOFF_BRACKET),
        comparison=tuple(e for e in evaluations if e.id.trial.bracket == COMPARISON_BRACKET),
        folds=tuple(e for e in evaluations if e.id.trial.bracket == FOLDS_BRACKET),
        presences=_presences(entries),
        finish=_finish(entries),
        stop=_last_reason(entries, StopRequested),
        resumed=tuple(entry.time for entry in entries if isinstance(entry.event, RunResumed)),
        changes=tuple(e.event.reason for e in entries if isinstance(e.event, RulesChanged)),
        compared=compared(entries),
        plan=latest_plan(entries),
    )


class _Replay:
    """State of all attempts while the journal is replayed.

    Args:
        counted: Results that count, and the Unix times at which they came.
    """

    def __init__(self, counted: Iterable[tuple[Evaluated, float]]) -> None:
        self._counted = {
            Attempt(news.evaluation, news.attempt): (news, time) for news, time in counted
        }
        self.known: dict[Attempt, AttemptRecord] = {}
        self.running: set[Attempt] = set()
        self.latest: dict[EvaluationId, Attempt] = {}
        self.settled: dict[EvaluationId, Attempt] = {}
        self._eliminated: set[TrialId] = set()

    def apply(self, entry: Entry) -> None:
        match entry.event:
            case Evaluate() as order:
                self._begin(order, entry.time)
            case Evaluated() as news:
                self._end(news, entry.time)
            case Settled() as order:
                self._count(order)
            case Discard(trial):
                self._eliminated.add(trial)
            case WorkersChanged() as news:
                self._lose({a for a in self.running if self.known[a].worker in news.left}, entry)
                self._go_on(news)
            case Finish():
                for identity in self.running:
                    self._change(identity, end=entry.time, fate="late", error=_UNWANTED)
                self.running = set()

    def _begin(self, order: Evaluate, time: float) -> None:
        identity = Attempt(order.evaluation, order.attempt)
        self.latest[order.evaluation] = identity
        self.known[identity] = AttemptRecord(
            order.evaluation,
            order.attempt,
            order.worker,
            order.configuration,
            order.model_based,
            start=time,
        )
        self.running.add(identity)

    def _end(self, news: Evaluated, time: float) -> None:
        """The attempt is late, unless its crash counts, or ``Settled`` follows."""
        identity = Attempt(news.evaluation, news.attempt)
        if identity not in self.known or self.known[identity].fate not in ("running", "lost"):
            return
        counts = identity in self.running and news.evaluation not in self.settled
        if news.outcome == "crashed" and counts and not news.given_up:
            self._book(identity, news, time)
        else:
            self._change(identity, end=time, fate="late", error=_UNWANTED)
        self.running.discard(identity)

    def _count(self, order: Settled) -> None:
        identity = Attempt(order.evaluation, order.attempt)
        if identity in self._counted and identity in self.known:
            self.settled[order.evaluation] = identity
            self._book(identity, *self._counted[identity])

    def _book(self, identity: Attempt, news: Evaluated, time: float) -> None:
        told = {"loss": news.loss, "info": news.facts, "error": news.error}
        self._change(identity, end=time, fate=news.outcome, **told)

    def _lose(self, identities: set[Attempt], entry: Entry) -> None:
        for identity in identities:
            self._change(identity, end=entry.time, fate="lost", error="the worker was lost")
        self.running = self.running - identities

    def _go_on(self, news: WorkersChanged) -> None:
        """A worker that comes back goes on with its attempt, unless somebody else took over."""
        for identity in news.doing.values():
            evaluation = identity.evaluation
            open_ = evaluation not in self.settled and evaluation.trial not in self._eliminated
            latest = self.latest.get(evaluation) == identity
            if open_ and latest and self.known[identity].fate == "lost":
                self._change(identity, end=None, fate="running", error=None)
                self.running.add(identity)

    def _change(self, identity: Attempt, **fields: Any) -> None:
        self.known[identity] = replace(self.known[identity], **fields)


def _records(attempts: _Replay) -> list[EvaluationRecord]:
    """A record per evaluation, with the attempt that counts, or else with the latest."""
    counting = attempts.latest | attempts.settled
    tries = Counter(attempt.evaluation for attempt in attempts.known)
    return [
        EvaluationRecord(attempts.known[counting[each]], count) for each, count in tries.items()
    ]


def _presences(entries: Iterable[Entry]) -> tuple[Presence, ...]:
    present: dict[str, Presence] = {}
    past: list[Presence] = []
    for entry in entries:
        left: Iterable[str] = ()
        if isinstance(entry.event, WorkersChanged):
            left = entry.event.left
        elif isinstance(entry.event, Finish):
            left = tuple(present)
        past += [replace(present.pop(each), end=entry.time) for each in left if each in present]
        if isinstance(entry.event, WorkersChanged):
            present |= {name: Presence(name, entry.time) for name in entry.event.joined}
    return tuple(sorted([*past, *present.values()], key=lambda each: (each.worker, each.start)))


def _last_reason(entries: Iterable[Entry], kind: type[StopRequested]) -> str | None:
    reasons = [entry.event.reason for entry in entries if isinstance(entry.event, kind)]
    return reasons[-1] if reasons else None


def _finish(entries: Iterable[Entry]) -> str | None:
    """The reason of the end; None if there is none, or if the run has grown since."""
    ends = (e.event for e in entries if isinstance(e.event, Finish | PlanChanged))
    last = next(reversed(list(ends)), None)
    return last.reason if isinstance(last, Finish) else None
