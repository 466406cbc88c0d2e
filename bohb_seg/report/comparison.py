"""The final comparison: default and tuned configuration retrained with the same seeds. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

from bohb_seg.report.history import Attempt, Evaluation, Run
from bohb_seg.trials import DEFAULT_ARM, INCUMBENT_ARM, Configuration

PARTS = ("train", "validation", "test")
ARM_NAMES = {DEFAULT_ARM: "default", INCUMBENT_ARM: "tuned"}


@dataclass(frozen=True)
class Retraining:
    """One arm with one seed.

    Args:
        seed: Index of the seed; the two arms share their seeds.
        parts: Scores by part, as the worker told them; empty until finished.
        artefacts: Folder with predictions and model; None until finished.
    """

    seed: int
    attempt: Attempt
    parts: Mapping[str, Mapping[str, Any]]
    artefacts: Path | None

    def score(self, part: str, name: str) -> float | None:
        """A number such as ``("test", "miou")``; None where there is none."""
        value = self.parts.get(part, {}).get(name)
        return float(value) if value is not None else None


@dataclass(frozen=True)
class Arm:
    """``default`` or ``tuned``: its configuration and its retrainings by seed."""

    name: str
    configuration: Configuration
    retrainings: tuple[Retraining, ...]

    @property
    def finished(self) -> tuple[Retraining, ...]:
        """Those with a loss."""
        return tuple(each for each in self.retrainings if each.attempt.loss is not None)

    @property
    def representative(self) -> Retraining | None:
        """The seed with the lowest validation loss: the one whose predictions are shown."""
        return min(self.finished, key=lambda each: each.attempt.loss or 0.0, default=None)

    def scores(self, part: str, name: str) -> tuple[float, ...]:
        """A number over the seeds that have it."""
        found = [each.score(part, name) for each in self.finished]
        return tuple(score for score in found if score is not None)

    def class_scores(self, part: str, name: str) -> dict[str, list[float]]:
        """Scores by class (e.g. ``iou``) over the seeds; classes without a score stay empty."""
        found: dict[str, list[float]] = {}
        for each in self.finished:
            for label, score in each.parts.get(part, {}).get(name, {}).items():
                found.setdefault(label, []).extend([] if score is None else [float(score)])
        return found


def arms(run: Run) -> tuple[Arm, ...]:
    """The arms that were ordered, default first."""
    found = []
    for rung, name in ARM_NAMES.items():
        its = [each for each in run.comparison if each.id.trial.rung == rung]
        if its:
            its.sort(key=lambda each: each.id.trial.number)
            retrainings = tuple(_retraining(run, each) for each in its)
            found.append(Arm(name, its[0].attempt.configuration, retrainings))
    return tuple(found)


def _retraining(run: Run, evaluation: Evaluation) -> Retraining:
    info = evaluation.info
    artefacts = info.get("artefacts")
    folder = run.directory / artefacts if _lies_within(artefacts) else None
    parts = {"validation": {"loss": evaluation.loss}, **(info.get("parts") or {})}
    return Retraining(evaluation.id.trial.number, evaluation.attempt, parts, folder)


def _lies_within(path: Any) -> TypeGuard[str]:
    """Whether what a worker told is a path below the run directory."""
    return isinstance(path, str) and not Path(path).is_absolute() and ".." not in Path(path).parts
