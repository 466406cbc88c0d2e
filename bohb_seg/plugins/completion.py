"""Configurations completed by the defaults of training and of the model: what is really trained."""

from collections.abc import Mapping
from typing import Any

from bohb_seg.plugins import hyperparameters
from bohb_seg.plugins.hyperparameters import TRAINING, ModelDeclaration, Value

SGD_RATE = "sgd_learning_rate"
"""Spaces may give ``sgd`` a learning rate, with its own range, under this name."""


def completed(
    configuration: Mapping[str, Any],
    model: ModelDeclaration,
    preset: str = "default",
    where: str = hyperparameters.IN_A_SPACE,
) -> dict[str, Value]:
    """All hyperparameters by name; configurations that train alike give equal values.

    Args:
        configuration: Active hyperparameters by name, plain Python values.
        model: The model that it is for.
        preset: Preset of the run, under which models may have other defaults.
        where: The place of the configuration, for messages.

    Returns:
        A value for each hyperparameter of training and of the model, None where it is not used.
        ``learning_rate`` is the rate of the gradient optimizer, whichever that is.

    Raises:
        SettingsError: a hyperparameter is unknown, or its value is not allowed.
    """
    given = hyperparameters.read_values(configuration, model, where)
    defaults = {name: each.default for name, each in TRAINING.items()}
    values: dict[str, Value] = defaults | model.defaults(preset) | given
    sgd_rate = values.pop(SGD_RATE)
    if values["optimizer"] == "sgd" and (SGD_RATE in given or "learning_rate" not in given):
        values["learning_rate"] = sgd_rate
    return values
