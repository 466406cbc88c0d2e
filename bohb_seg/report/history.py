"""The journal put in order: attempts, evaluations, trials and workers, as the report needs them.

Everything is derived from ``events.jsonl`` alone, so a live or broken run reads as well as a
finished one. An attempt counts if, and only if, ``Settled`` names it. What another attempt reports
when nobody waits for it any more is dropped, as the scheduler drops it too: it came *late*. A
*lost* attempt whose worker comes back goes on if nobody else took over.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from bohb_seg.errors import SettingsError
from bohb_seg.search.events import (
    Discard,
    Evaluate,
    Evaluated,
    Finish,
    Settled,
    StopRequested,
    WorkersChanged,
)
from bohb_seg.storage import journal
from bohb_seg.storage.journal import Entry, RunResumed, RunStarted
from bohb_seg.trials import COMPARISON_BRACKET, RUNOFF_BRACKET, Configuration, EvaluationId, TrialId
from bohb_seg.trials import Attempt as AttemptId

EARLY_ENDS = ("collapsed", "patience", "diverged")
"""What a worker calls the reasons for which a training ends before its budget."""

Fate = Literal["finished", "diverged", "crashed", "lost", "late", "running"]


@dataclass(frozen=True)
class Attempt:
    """One try of an evaluation on one worker.

    Args:
        start: Unix time in seconds of the order.
        end: Unix time of its report or of the worker's loss; None while it runs.
    """

    evaluation: EvaluationId
    number: int
    worker: str
    configuration: Configuration
    model_based: bool
    start: float
    end: float | None = None
    fate: Fate = "running"
    loss: float | None = None
    info: Mapping[str, Any] = field(default_factory=dict)
    error: str | None = None

    @property
    def epochs_trained(self) -> float:
        """Epochs of this attempt; a worker that does not say is taken to train from the start."""
        told = self.info.get("epochs_trained")
        if isinstance(told, int | float):
            return float(told)
        return self.evaluation.budget if self.fate == "finished" else 0.0

    @property
    def stopped(self) -> str | None:
        """Why it ended before its budget, one of ``EARLY_ENDS``; None if it did not."""
        told = self.info.get("stopped")
        return told if told in EARLY_ENDS else None

    @property
    def best_epoch(self) -> int | None:
        """The epoch, from 1, whose weights were kept instead of the last one's."""
        told = self.info.get("best_epoch")
        return told if isinstance(told, int) else None

    @property
    def curves(self) -> Mapping[str, Sequence[float | None]]:
        """The curves the worker told that are as long as their epochs; any worker may tell none."""
        told = self.info.get("curves")
        if not isinstance(told, Mapping) or not isinstance(told.get("epoch"), Sequence):
            return {}
        length = len(told["epoch"])
        lists = {name: its for name, its in told.items() if isinstance(its, list | tuple)}
        return {name: its for name, its in lists.items() if len(its) == length}


@dataclass(frozen=True)
class Evaluation:
    """A trial at one budget: the attempt that counts, and how many there were."""

    attempt: Attempt
    attempts: int

    @property
    def id(self) -> EvaluationId:
        """Trial and budget."""
        return self.attempt.evaluation

    @property
    def budget(self) -> float:
        """Epochs in total."""
        return self.attempt.evaluation.budget

    @property
    def loss(self) -> float | None:
        """The objective; None unless finished."""
        return self.attempt.loss

    @property
    def info(self) -> Mapping[str, Any]:
        """What the worker told beside the loss."""
        return self.attempt.info


@dataclass(frozen=True)
class Presence:
    """A worker from its joining to its leaving (end None: still there), Unix times."""

    worker: str
    start: float
    end: float | None = None


@dataclass(frozen=True)
class Run:
    """A run as far as its journal goes.

    Args:
        begin: Unix time of the first entry, end: of the last one.
        evaluations: Of the search, in order of their first start.
        runoff: The evaluations of the runoff: trial (-2, rank of the candidate, index of the seed).
        comparison: The evaluations of the final comparison.
        finish: The reason of the run's end; None while it goes on.
        stop: The reason of an early stop, if one was asked for.
        resumed: Unix times at which a new master took over.
    """

    directory: Path
    started: RunStarted
    begin: float
    end: float
    attempts: tuple[Attempt, ...]
    evaluations: tuple[Evaluation, ...]
    runoff: tuple[Evaluation, ...]
    comparison: tuple[Evaluation, ...]
    presences: tuple[Presence, ...]
    finish: str | None
    stop: str | None
    resumed: tuple[float, ...]

    @property
    def finished(self) -> tuple[Evaluation, ...]:
        """Evaluations of the search that have a loss, in order of their end."""
        done = [each for each in self.evaluations if each.loss is not None]
        return tuple(sorted(done, key=lambda each: each.attempt.end or 0))


def read(run_dir: Path) -> Run:
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


def replay(run_dir: Path, entries: Sequence[Entry]) -> Run:
    """Puts the entries of a journal in order.

    Raises:
        SettingsError: the journal does not begin with the start of a run.
    """
    if not entries or not isinstance(entries[0].event, RunStarted):
        raise SettingsError(
            f"{run_dir / journal.FILE_NAME} holds no started run yet; wait until bohb-master"
            " has started its search"
        )
    attempts = _attempts(entries)
    evaluations = _evaluations(attempts)
    return Run(
        directory=run_dir,
        started=entries[0].event,
        begin=entries[0].time,
        end=entries[-1].time,
        attempts=tuple(attempts.known.values()),
        evaluations=tuple(e for e in evaluations if e.id.trial.bracket >= 0),
        runoff=tuple(e for e in evaluations if e.id.trial.bracket == RUNOFF_BRACKET),
        comparison=tuple(e for e in evaluations if e.id.trial.bracket == COMPARISON_BRACKET),
        presences=_presences(entries),
        finish=_last_reason(entries, Finish),
        stop=_last_reason(entries, StopRequested),
        resumed=tuple(entry.time for entry in entries if isinstance(entry.event, RunResumed)),
    )


def trials(evaluations: Iterable[Evaluation]) -> dict[TrialId, list[Evaluation]]:
    """The evaluations of each trial in order of their budgets; trials in order of their start."""
    found: dict[TrialId, list[Evaluation]] = {}
    for evaluation in evaluations:
        found.setdefault(evaluation.id.trial, []).append(evaluation)
    return {trial: sorted(its, key=lambda e: e.budget) for trial, its in found.items()}


class _Attempts:
    """Attempts while the journal is replayed."""

    def __init__(self, counted: Mapping[AttemptId, tuple[Evaluated, float]]) -> None:
        self._counted = counted
        self.known: dict[AttemptId, Attempt] = {}
        self.running: set[AttemptId] = set()
        self.latest: dict[EvaluationId, AttemptId] = {}
        self.settled: dict[EvaluationId, AttemptId] = {}
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
                self._lose(self.running, entry)

    def _begin(self, order: Evaluate, time: float) -> None:
        identity = AttemptId(order.evaluation, order.attempt)
        self.latest[order.evaluation] = identity
        self.known[identity] = Attempt(
            order.evaluation,
            order.attempt,
            order.worker,
            order.configuration,
            order.model_based,
            start=time,
        )
        self.running.add(identity)

    def _end(self, news: Evaluated, time: float) -> None:
        """Late, unless it is a crash that counts, or until ``Settled`` says otherwise."""
        identity = AttemptId(news.evaluation, news.attempt)
        if identity not in self.known or self.known[identity].fate not in ("running", "lost"):
            return
        counts = identity in self.running and news.evaluation not in self.settled
        if news.outcome == "crashed" and counts:
            self._book(identity, news, time)
        else:
            why = "nobody waited for its result any more"
            self._change(identity, end=time, fate="late", error=why)
        self.running.discard(identity)

    def _count(self, order: Settled) -> None:
        identity = AttemptId(order.evaluation, order.attempt)
        if identity in self._counted and identity in self.known:
            self.settled[order.evaluation] = identity
            self._book(identity, *self._counted[identity])

    def _book(self, identity: AttemptId, news: Evaluated, time: float) -> None:
        told = {"loss": news.loss, "info": news.info, "error": news.error}
        self._change(identity, end=time, fate=news.outcome, **told)

    def _lose(self, identities: set[AttemptId], entry: Entry) -> None:
        for identity in identities:
            self._change(identity, end=entry.time, fate="lost", error="the worker was lost")
        self.running = self.running - identities

    def _go_on(self, news: WorkersChanged) -> None:
        """Workers that come back with an attempt that nobody else took over go on with it."""
        for identity in news.doing.values():
            evaluation = identity.evaluation
            open_ = evaluation not in self.settled and evaluation.trial not in self._eliminated
            latest = self.latest.get(evaluation) == identity
            if open_ and latest and self.known[identity].fate == "lost":
                self._change(identity, end=None, fate="running", error=None)
                self.running.add(identity)

    def _change(self, identity: AttemptId, **fields: Any) -> None:
        self.known[identity] = replace(self.known[identity], **fields)


def _attempts(entries: Sequence[Entry]) -> _Attempts:
    results = journal.counted(entries)
    attempts = _Attempts(
        {AttemptId(news.evaluation, news.attempt): (news, time) for news, time in results}
    )
    for entry in entries:
        attempts.apply(entry)
    return attempts


def _evaluations(attempts: _Attempts) -> list[Evaluation]:
    """The attempt that counts, or else the latest."""
    counts = attempts.latest | attempts.settled
    tries = Counter(identity.evaluation for identity in attempts.known)
    return [Evaluation(attempts.known[counts[each]], number) for each, number in tries.items()]


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


def _last_reason(entries: Iterable[Entry], kind: type[Finish | StopRequested]) -> str | None:
    reasons = [entry.event.reason for entry in entries if isinstance(entry.event, kind)]
    return reasons[-1] if reasons else None
