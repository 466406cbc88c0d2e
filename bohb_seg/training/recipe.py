"""Recipes: configurations with every hyperparameter checked and filled in."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bohb_seg.plugins.completion import completed
from bohb_seg.plugins.hyperparameters import GradientOptimizer, Loss, ModelDeclaration, Schedule


@dataclass(frozen=True)
class Recipe:
    """One configuration, complete.

    Args:
        optimizer: Gradient optimizer; ``sgd`` has Nesterov momentum 0.9.
        learning_rate: Largest learning rate of the schedule.
        weight_decay: Decoupled weight decay; Adam has none.
        schedule: ``cosine`` begins with a warm-up, ``poly`` is (1 - progress) ** 0.9.
        batch_size: Training patches per step.
        val_batch_size: Patches over which the validation loss of the Milestone 3 reports
            (docs/origin.md) averages its Dice; None: the training batch, as in Keras. It changes
            no weight.
        loss: The loss that gradients minimise; the search compares another one.
        region_weight: Share of the Dice part in ``dice+...``, 0..1.
        focal_gamma: Exponent of the focal part of ``dice+focal``.
        augmentation: Strength of zoom and colour changes, 0..1; flips and quarter turns are on;
            None: no augmentation.
        model: The hyperparameters of the model by name.
    """

    optimizer: GradientOptimizer
    learning_rate: float
    weight_decay: float
    schedule: Schedule
    batch_size: int
    val_batch_size: int | None
    loss: Loss
    region_weight: float
    focal_gamma: float
    augmentation: float | None
    model: Mapping[str, Any]

    @property
    def own_validation_batch(self) -> int:
        """Patches per validation batch if Keras had validated."""
        return self.val_batch_size or self.batch_size


def parse(
    configuration: Mapping[str, Any], model: ModelDeclaration, preset: str = "default"
) -> Recipe:
    """Reads a configuration.

    Args:
        configuration: Active hyperparameters by name, plain Python values.
        model: The model that it is for.
        preset: Preset of the run, under which models may have other defaults.

    Raises:
        SettingsError: a hyperparameter is unknown, or its value is not allowed.
    """
    values: dict[str, Any] = completed(configuration, model, preset)
    fields = {field.name for field in dataclasses.fields(Recipe)} - {"model"}
    return Recipe(
        **{name: values[name] for name in fields},
        model={name: values[name] for name in model.hyperparameters},
    )


def as_json(recipe: Recipe) -> dict[str, Any]:
    """All hyperparameters by name, plain Python; equal recipes give equal values."""
    facts = dataclasses.asdict(recipe)
    return {**facts.pop("model"), **facts}
