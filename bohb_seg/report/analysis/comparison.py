"""The final comparison: default and incumbent retrained with the same seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bohb_seg.report.analysis.records import AttemptRecord, EvaluationRecord, RunRecord
from bohb_seg.report.wording import is_number
from bohb_seg.trials import (
    ARMS,
    DEFAULT_ARM,
    IGNORE,
    INCUMBENT_ARM,
    Configuration,
    comparison_folder,
)

Matrix = Sequence[Sequence[int]]
PARTS = ("train", "validation", "test")
"""Parts of the data; a later one says more about new images."""
MOST_PIXELS = 1 << 48
"""Counts beyond it are none; the sum of those of all seeds fits into 64 bits."""


@dataclass(frozen=True)
class PartScores:
    """Scores of a network on one part of the data.

    Args:
        numbers: Single numbers by name, such as ``miou``.
        by_class: Numbers by class, such as ``iou``; None for a class that does not occur.
        confusion: Confusion matrix in pixels, rows = truth; None if the worker reported none.
    """

    numbers: Mapping[str, float] = field(default_factory=dict)
    by_class: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)
    confusion: Matrix | None = None


@dataclass(frozen=True)
class Retraining:
    """One arm with one seed.

    Args:
        seed: Index of the seed; the two arms share their seeds.
        parts: Scores of each part of the data; only the validation loss if the worker reported
            none.
        artefacts: Folder with predictions and model; None if the worker named none.
    """

    seed: int
    attempt: AttemptRecord
    parts: Mapping[str, PartScores]
    artefacts: Path | None

    def on(self, part: str) -> PartScores:
        """Scores on a part of the data; empty ones if there are none."""
        return self.parts.get(part, PartScores())


@dataclass(frozen=True)
class Arm:
    """One side of the comparison, with its retrainings by seed.

    Args:
        name: ``default``, or ``baseline`` where one was given, or ``incumbent``.
    """

    name: str
    configuration: Configuration
    retrainings: tuple[Retraining, ...]

    @property
    def finished(self) -> tuple[Retraining, ...]:
        """Retrainings that have a loss."""
        return tuple(each for each in self.retrainings if each.attempt.loss is not None)

    @property
    def representative(self) -> Retraining | None:
        """The retraining with the lowest validation loss, whose predictions are shown."""
        return min(self.finished, key=lambda each: each.attempt.loss or 0.0, default=None)

    def scores(self, part: str, name: str) -> tuple[float, ...]:
        """A number such as ``("test", "miou")`` over the seeds that have it."""
        found = [each.on(part).numbers for each in self.finished]
        return tuple(numbers[name] for numbers in found if name in numbers)

    def class_scores(self, part: str, name: str) -> dict[str, list[float]]:
        """Scores such as ``iou`` over the seeds, by class; the list of a class may be empty."""
        found: dict[str, list[float]] = {}
        for each in self.finished:
            for label, score in each.on(part).by_class.get(name, {}).items():
                found.setdefault(label, []).extend([] if score is None else [score])
        return found


def arms(run: RunRecord) -> tuple[Arm, ...]:
    """The arms whose retraining was ordered, default first."""
    found: list[Arm] = []
    for rung, name in {run.compared.arm: ARMS[INCUMBENT_ARM], DEFAULT_ARM: run.reference}.items():
        own = [each for each in run.comparison if each.id.trial.rung == rung]
        if own:
            own.sort(key=lambda each: each.id.trial.number)
            retrainings = tuple(_retraining(run, each) for each in own)
            found.insert(0, Arm(name, own[0].attempt.configuration, retrainings))
    return tuple(found)


def last_part(found: Sequence[Arm], name: str) -> str | None:
    """The part that says most about new images: test, else validation; None without scores."""
    for part in reversed(PARTS):
        if any(arm.class_scores(part, name) or arm.scores(part, name) for arm in found):
            return part
    return None


def class_names(run: RunRecord) -> list[str]:
    """Names of the classes in the order of their labels; empty for runs without images."""
    return [str(each["name"]) for each in run.started.data.get("classes") or []]


def _retraining(run: RunRecord, evaluation: EvaluationRecord) -> Retraining:
    place = comparison_folder(evaluation.id.trial)
    # Nothing that a worker says becomes a path: it can only say whether the files are there.
    folder = run.directory / place if evaluation.info.artefacts == place else None
    told = {"validation": {"loss": evaluation.loss}, **evaluation.info.parts}
    parts = {part: _part_scores(scores) for part, scores in told.items()}
    return Retraining(evaluation.id.trial.number, evaluation.attempt, parts, folder)


def _part_scores(told: Mapping[str, Any]) -> PartScores:
    """Reads the scores that a worker reported; values of another form are left out."""
    numbers = {name: value for name, value in told.items() if is_number(value)}
    by_class = {name: value for name, value in told.items() if _is_by_class(value)}
    matrix = told.get("confusion")
    return PartScores(numbers, by_class, matrix if _is_square(matrix) else None)


def _is_by_class(value: Any) -> bool:
    return isinstance(value, Mapping) and all(
        each is None or (is_number(each) and 0 <= each <= 1) for each in value.values()
    )


def _is_square(value: Any) -> bool:
    """Whether a value is a square matrix of counts, with at most ``IGNORE`` rows."""
    return (
        isinstance(value, list)
        and len(value) <= IGNORE
        and all(
            isinstance(row, list) and len(row) == len(value) and all(map(_is_count, row))
            for row in value
        )
    )


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < MOST_PIXELS
