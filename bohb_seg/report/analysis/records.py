"""Records of a run: its attempts, its evaluations and the times that its workers were present."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from bohb_seg.search.plan import Plan
from bohb_seg.storage.compared import Compared
from bohb_seg.storage.journal_entries import RunStarted
from bohb_seg.trials import (
    ARMS,
    ARMS_BRACKETS,
    DEFAULT_ARM,
    Configuration,
    EvaluationId,
    Info,
    Numbers,
    TrialId,
    trial_name,
)

EARLY_ENDS = ("collapsed", "patience", "diverged")
"""Reasons, in a worker's words, for which a training ends before its budget."""

MOST_EPOCHS = 1e9
"""Epochs of an attempt; a worker that tells more tells nonsense."""

Fate = Literal["finished", "diverged", "crashed", "lost", "late", "running"]


@dataclass(frozen=True)
class AttemptRecord:
    """One try of an evaluation on one worker.

    Args:
        start: Unix time of the order, in seconds.
        end: Unix time of the report, or of the loss of the worker; None while the attempt runs.
        fate: ``lost`` if the worker left, ``late`` if nobody waited for the result any more.
        loss: The objective; None unless finished.
        error: Traceback or reason; None unless something went wrong.
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
    info: Info = field(default_factory=Info)
    error: str | None = None

    @property
    def epochs_trained(self) -> float:
        """Epochs of this attempt; if not reported, the whole budget once it has finished."""
        if self.info.epochs_trained is not None:
            return min(max(0.0, float(self.info.epochs_trained)), MOST_EPOCHS)
        return self.evaluation.budget if self.fate == "finished" else 0.0

    @property
    def stopped(self) -> str | None:
        """Reason of an end before the budget, one of ``EARLY_ENDS``; None if there is none."""
        return self.info.stopped if self.info.stopped in EARLY_ENDS else None

    @property
    def curves(self) -> Mapping[str, Numbers]:
        """Curves of the training by name, each as long as ``epoch``; empty without epochs."""
        epochs = len(self.info.curves.get("epoch", ()))
        return {name: its for name, its in self.info.curves.items() if len(its) == epochs}


@dataclass(frozen=True)
class EvaluationRecord:
    """A trial at one budget.

    Args:
        attempt: The attempt that counts; the latest one as long as none does.
        attempts: Number of attempts.
    """

    attempt: AttemptRecord
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
    def info(self) -> Info:
        """Facts that the worker reported beside the loss."""
        return self.attempt.info


@dataclass(frozen=True)
class Presence:
    """Time from a worker's joining to its leaving, in Unix seconds; ``end`` is None if it stays."""

    worker: str
    start: float
    end: float | None = None


@dataclass(frozen=True)
class RunRecord:
    """A run as far as its journal goes.

    Args:
        begin: Unix time of the first entry of the journal, in seconds.
        end: Unix time of its last entry.
        attempts: All attempts in order of their start, also those of runoff and comparison.
        evaluations: Evaluations of the search in order of their first start.
        runoff: Evaluations of the runoff: trial (-2, rank of the candidate, index of the seed).
        comparison: Evaluations of the final comparison: trial (-1, arm, index of the seed).
        finish: Reason of the run's end; None while it goes on.
        stop: Reason of an early stop, if one was requested.
        resumed: Unix times at which a new master took over.
        changes: Reasons for which the run went on under other rules, oldest first.
        folds: Evaluations of the comparison on folds: trial (-3, arm, seed times folds + fold).
        compared: Results from which the verdict follows.
        plan: The plan since it was changed last; None if it never was.
    """

    directory: Path
    started: RunStarted
    begin: float
    end: float
    attempts: tuple[AttemptRecord, ...]
    evaluations: tuple[EvaluationRecord, ...]
    runoff: tuple[EvaluationRecord, ...]
    comparison: tuple[EvaluationRecord, ...]
    presences: tuple[Presence, ...]
    finish: str | None
    stop: str | None
    resumed: tuple[float, ...]
    compared: Compared
    changes: tuple[str, ...] = ()
    folds: tuple[EvaluationRecord, ...] = ()
    plan: Plan | None = None

    @property
    def brackets(self) -> int | None:
        """Number of brackets by the latest plan; None if the journal does not tell."""
        told = self.started.settings.get("n_iterations")
        return self.plan.n_iterations if self.plan else told

    @property
    def reference(self) -> str:
        """Name of the configuration with which the incumbent is compared."""
        return "baseline" if self.started.baseline else "default"

    def name_of(self, trial: TrialId) -> str:
        """Name of a trial for people, in which the baseline is called so."""
        name = trial_name(trial)
        is_reference = trial.bracket in ARMS_BRACKETS and not trial.rung
        return self.reference + name.removeprefix(ARMS[DEFAULT_ARM]) if is_reference else name

    @property
    def finished(self) -> tuple[EvaluationRecord, ...]:
        """Evaluations of the search that have a loss, in order of their end."""
        done = [each for each in self.evaluations if each.loss is not None]
        return tuple(sorted(done, key=lambda each: each.attempt.end or 0))

    @property
    def all_evaluations(self) -> tuple[EvaluationRecord, ...]:
        """Evaluations of search, runoff, comparison and its folds, in this order."""
        return (*self.evaluations, *self.runoff, *self.comparison, *self.folds)


def by_trial(evaluations: Iterable[EvaluationRecord]) -> dict[TrialId, list[EvaluationRecord]]:
    """Groups evaluations by trial, each group in order of its budgets; trials keep their order."""
    found: dict[TrialId, list[EvaluationRecord]] = {}
    for evaluation in evaluations:
        found.setdefault(evaluation.id.trial, []).append(evaluation)
    return {trial: sorted(its, key=lambda each: each.budget) for trial, its in found.items()}
