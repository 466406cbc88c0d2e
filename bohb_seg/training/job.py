"""One job: the configuration, budget and files of an evaluation, as training sees it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bohb_seg import plugins
from bohb_seg.data.preparation import SegmentationData
from bohb_seg.plugins import hyperparameters
from bohb_seg.plugins.hyperparameters import ModelDeclaration
from bohb_seg.settings import TrainingSettings
from bohb_seg.training.recipe import Recipe, as_json, parse
from bohb_seg.trials import (
    ARMS_BRACKETS,
    COMPARISON_BRACKET,
    checkpoint_folder,
    comparison_folder,
)

_FORMERLY = {"milestone3": "seed"}
"""Names in checkpoint keys stay as they were, so that checkpoints of earlier versions are used."""


@dataclass(frozen=True)
class Job:
    """One evaluation.

    Args:
        config_id: HpBandSter's (bracket, rung, number); bracket -1 is the final comparison, where
            rung is the arm (0 default, 1 incumbent) and number the index of the seed; bracket -2
            is the runoff before it, where rung is the candidate; bracket -3 are the arms on folds.
        configuration: Active hyperparameters, plain Python.
        budget: Epochs in total; HpBandSter has fractions, we train the nearest whole number.
        directory: Directory of the run, which exists; checkpoints and the comparison's files lie
            below it.
    """

    config_id: tuple[int, int, int]
    configuration: Mapping[str, Any]
    budget: float
    directory: Path

    @property
    def epochs(self) -> int:
        """Whole epochs, at least one."""
        return max(1, round(self.budget))

    @property
    def is_comparison(self) -> bool:
        """Whether it belongs to the final comparison proper, which leaves files."""
        return self.config_id[0] == COMPARISON_BRACKET

    @property
    def is_of_arm(self) -> bool:
        """Whether it retrains an arm of the comparison, on all data or on a fold."""
        return self.config_id[0] in ARMS_BRACKETS

    @property
    def checkpoints(self) -> Path:
        """The folder of the trial's checkpoint."""
        return self.directory / checkpoint_folder(self.config_id)

    @property
    def artefacts(self) -> str:
        """The folder of the comparison's files, relative to the run's directory."""
        return comparison_folder(self.config_id)


def declaration(settings: TrainingSettings) -> ModelDeclaration:
    """The hyperparameters that the run's model states.

    Raises:
        UnknownPluginError: there is no such model.
        SettingsError: its file states none, or wrong ones.
    """
    return hyperparameters.of_model(plugins.file_of("models", settings.model))


def recipe_of(settings: TrainingSettings, job: Job) -> Recipe:
    """The recipe of a job.

    Raises:
        SettingsError: a hyperparameter is unknown or its value is not allowed, or the model cannot
            halve the run's patches as often as the configuration says.
    """
    model = declaration(settings)
    recipe = parse(job.configuration, model, settings.preset)
    hyperparameters.check_patch_size(settings.patch_size, model, recipe.model)
    return recipe


def checkpoint_key(settings: TrainingSettings, data: SegmentationData, job: Job) -> str:
    """Hash of all that decides about the weights; if any of it changes, training starts again.

    Device and number of threads are not in it: any worker may go on.
    """
    shared = ("preset", "model", "objective", "precision", "seed", "max_budget")
    chosen = {name: getattr(settings, name) for name in shared}
    # A model that was given by path is known by its content.
    chosen["model"] = plugins.digest("models", settings.model) or settings.model
    decisive: dict[str, Any] = {
        "settings": {name: _FORMERLY.get(value, value) for name, value in chosen.items()},
        "data": [data.fingerprint, data.split_hash, list(data.train.shape)],
        "recipe": _recipe_in_key(settings, job),
        "trial": list(job.config_id),
    }
    if settings.sampling != "grid":
        decisive["sampling"] = [settings.sampling, settings.rare_share]
    if job.is_of_arm:
        decisive["horizon"] = job.epochs  # its schedule ends there, see evaluation
    if not settings.continue_:
        decisive["budget"] = job.epochs  # only what was interrupted goes on
    return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()


def _recipe_in_key(settings: TrainingSettings, job: Job) -> dict[str, Any]:
    """The hyperparameters, but for defaults that follow from the preset, which the key names."""
    model = declaration(settings)
    defaults = model.defaults(settings.preset)
    return {
        name: value
        for name, value in as_json(parse(job.configuration, model, settings.preset)).items()
        if not (model.follows_preset(name) and value == defaults[name])
    }
