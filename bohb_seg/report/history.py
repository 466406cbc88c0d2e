"""The journal put in order: attempts, evaluations, trials and workers, as the report needs them.

Everything is derived from ``events.jsonl`` alone, so a live or broken run reads as well as a
finished one. The first result of an evaluation counts; a later one (of a worker that was given up
and came back) is kept as a *late* attempt, as the scheduler drops it too.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from bohb_seg import journal
from bohb_seg.errors import SettingsError
from bohb_seg.journal import Entry, RunResumed, RunStarted
from bohb_seg.trials import (
    COMPARISON_BRACKET,
    Configuration,
    Evaluate,
    Evaluated,
    EvaluationId,
    Finish,
    StopRequested,
    TrialId,
    WorkersChanged,
)

Fate = Literal["finished", "diverged", "crashed", "lost", "late", "running"]


@dataclass(frozen=True)
class Attempt:
    """One try of an evaluation on one worker.

    Args:
        start: Unix time in seconds of the order.
        end: Unix time of the result or of the worker's loss; None while it runs.
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
        attempts=attempts,
        evaluations=tuple(e for e in evaluations if e.id.trial.bracket != COMPARISON_BRACKET),
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


_Key = tuple[EvaluationId, int, str]


class _Attempts:
    """Attempts while the journal is replayed; ``running`` are the keys of those without an end."""

    def __init__(self) -> None:
        self.known: dict[_Key, Attempt] = {}
        self.running: set[_Key] = set()
        self.settled: set[EvaluationId] = set()

    def apply(self, entry: Entry) -> None:
        match entry.event:
            case Evaluate() as order:
                # Ordered again: where it ran before it was lost with the master that waited for it.
                self._lose({k for k in self.running if k[0] == order.evaluation}, entry.time)
                self._begin(order, entry.time)
            case Evaluated() as news:
                self._end(news, entry.time)
            case WorkersChanged(left=left):
                self._lose({key for key in self.running if key[2] in left}, entry.time)
            case Finish():
                self._lose(self.running, entry.time)

    def _begin(self, order: Evaluate, time: float) -> None:
        key = (order.evaluation, order.attempt, order.worker)
        self.known[key] = Attempt(*key, order.configuration, order.model_based, start=time)
        self.running.add(key)

    def _end(self, news: Evaluated, time: float) -> None:
        key = (news.evaluation, news.attempt, news.worker)
        if key not in self.known or self.known[key].fate not in ("running", "lost"):
            return
        self.running.discard(key)
        if news.evaluation in self.settled:
            late = "a result for this evaluation was already counted"
            self.known[key] = replace(self.known[key], end=time, fate="late", error=late)
            return
        if news.outcome != "crashed":
            self.settled.add(news.evaluation)
        self.known[key] = replace(
            self.known[key],
            end=time,
            fate=news.outcome,
            loss=news.loss,
            info=news.info,
            error=news.error,
        )

    def _lose(self, keys: set[_Key], time: float) -> None:
        for key in keys:
            self.known[key] = replace(
                self.known[key], end=time, fate="lost", error="the worker was lost"
            )
        self.running = self.running - keys


def _attempts(entries: Iterable[Entry]) -> tuple[Attempt, ...]:
    attempts = _Attempts()
    for entry in entries:
        attempts.apply(entry)
    return tuple(attempts.known.values())


def _evaluations(attempts: Iterable[Attempt]) -> list[Evaluation]:
    tries: dict[EvaluationId, list[Attempt]] = {}
    for attempt in attempts:
        tries.setdefault(attempt.evaluation, []).append(attempt)
    return [Evaluation(_that_counts(its), len(its)) for its in tries.values()]


def _that_counts(tries: Sequence[Attempt]) -> Attempt:
    decided = [attempt for attempt in tries if attempt.fate in ("finished", "diverged")]
    return (decided or tries)[-1]


def _presences(entries: Iterable[Entry]) -> tuple[Presence, ...]:
    present: dict[str, Presence] = {}
    past: list[Presence] = []
    for entry in entries:
        left: Iterable[str] = ()
        if isinstance(entry.event, WorkersChanged):
            left = entry.event.left
        elif isinstance(entry.event, RunResumed | Finish):
            left = tuple(present)
        past += [replace(present.pop(each), end=entry.time) for each in left if each in present]
        if isinstance(entry.event, WorkersChanged):
            present |= {name: Presence(name, entry.time) for name in entry.event.joined}
    return tuple(sorted([*past, *present.values()], key=lambda each: (each.worker, each.start)))


def _last_reason(entries: Iterable[Entry], kind: type[Finish | StopRequested]) -> str | None:
    reasons = [entry.event.reason for entry in entries if isinstance(entry.event, kind)]
    return reasons[-1] if reasons else None
