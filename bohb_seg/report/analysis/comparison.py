"""The final comparison: default and incumbent retrained with the same seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

from bohb_seg.report.analysis.records import AttemptRecord, EvaluationRecord, RunRecord
from bohb_seg.trials import DEFAULT_ARM, INCUMBENT_ARM, Configuration

PARTS = ("train", "validation", "test")
"""Parts of the data; a later one says more about new images."""
ARM_NAMES = {DEFAULT_ARM: "default", INCUMBENT_ARM: "incumbent"}


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
    parts: Mapping[str, Mapping[str, Any]]
    artefacts: Path | None

    def score(self, part: str, name: str) -> float | None:
        """A number such as ``("test", "miou")``; None if there is none."""
        value = self.parts.get(part, {}).get(name)
        return float(value) if value is not None else None


@dataclass(frozen=True)
class Arm:
    """One side of the comparison, ``default`` or ``incumbent``, with its retrainings by seed."""

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
        """A number over the seeds that have it."""
        found = [each.score(part, name) for each in self.finished]
        return tuple(score for score in found if score is not None)

    def class_scores(self, part: str, name: str) -> dict[str, list[float]]:
        """Scores such as ``iou`` by class, over the seeds; no score leaves a class empty."""
        found: dict[str, list[float]] = {}
        for each in self.finished:
            for label, score in each.parts.get(part, {}).get(name, {}).items():
                found.setdefault(label, []).extend([] if score is None else [float(score)])
        return found


def arms(run: RunRecord) -> tuple[Arm, ...]:
    """The arms whose retraining was ordered, default first."""
    found = []
    for rung, name in ARM_NAMES.items():
        own = [each for each in run.comparison if each.id.trial.rung == rung]
        if own:
            own.sort(key=lambda each: each.id.trial.number)
            retrainings = tuple(_retraining(run, each) for each in own)
            found.append(Arm(name, own[0].attempt.configuration, retrainings))
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
    info = evaluation.info
    artefacts = info.get("artefacts")
    folder = run.directory / artefacts if _lies_within(artefacts) else None
    parts = {"validation": {"loss": evaluation.loss}, **(info.get("parts") or {})}
    return Retraining(evaluation.id.trial.number, evaluation.attempt, parts, folder)


def _lies_within(path: Any) -> TypeGuard[str]:
    """Whether a path that a worker reported stays below the run directory."""
    return isinstance(path, str) and not Path(path).is_absolute() and ".." not in Path(path).parts
