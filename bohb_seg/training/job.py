"""What a worker is asked to do: one configuration at one budget, and where its files lie."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from bohb_seg.data.preparation import SegmentationData
from bohb_seg.settings import TrainingSettings
from bohb_seg.training.recipe import Recipe, as_json, parse
from bohb_seg.trials import COMPARISON_BRACKET, checkpoint_folder, comparison_folder

_FORMERLY = {"milestone3": "seed"}
"""Names in checkpoint keys stay as they were, so that checkpoints of earlier versions are used."""


@dataclass(frozen=True)
class Job:
    """One evaluation.

    Args:
        config_id: HpBandSter's (bracket, rung, number); bracket -1 is the final comparison, where
            rung is the arm (0 default, 1 incumbent) and number the index of the seed; bracket -2
            is the runoff before it, where rung is the candidate.
        configuration: Active hyperparameters, plain Python.
        budget: Epochs in total; HpBandSter has fractions, we train the nearest whole number.
        directory: The run's; checkpoints and the comparison's files lie below it.
    """

    config_id: tuple[int, int, int]
    configuration: Mapping[str, Any]
    budget: float
    directory: Path

    @cached_property
    def recipe(self) -> Recipe:
        """How to train; raises SettingsError where the configuration says what is unknown."""
        return parse(self.configuration)

    @property
    def epochs(self) -> int:
        """Whole epochs, at least one."""
        return max(1, round(self.budget))

    @property
    def is_comparison(self) -> bool:
        """Whether it belongs to the final comparison."""
        return self.config_id[0] == COMPARISON_BRACKET

    @property
    def checkpoints(self) -> Path:
        """The folder of the trial's checkpoint."""
        return self.directory / checkpoint_folder(self.config_id)

    @property
    def artefacts(self) -> str:
        """The folder of the comparison's files, relative to the run's directory."""
        return comparison_folder(self.config_id)


def checkpoint_key(settings: TrainingSettings, data: SegmentationData, job: Job) -> str:
    """Hash of all that decides what the weights are; a change of any means another training.

    Device and number of threads are not in it: any worker may go on.
    """
    shared = ("preset", "model", "objective", "precision", "seed", "max_budget")
    chosen = {name: getattr(settings, name) for name in shared}
    decisive: dict[str, Any] = {
        "settings": {name: _FORMERLY.get(value, value) for name, value in chosen.items()},
        "data": [data.fingerprint, data.split_hash, list(data.train.images.shape)],
        "recipe": as_json(job.recipe),
        "trial": list(job.config_id),
    }
    if job.is_comparison:
        decisive["horizon"] = job.epochs  # its schedule ends there, see evaluation
    if not settings.continue_:
        decisive["budget"] = job.epochs  # only what was interrupted goes on
    return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()
