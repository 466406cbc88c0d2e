"""Equality and origin of configurations."""

import math
from typing import Literal

from bohb_seg.report.analysis.records import EvaluationRecord, RunRecord
from bohb_seg.trials import Configuration

Value = bool | int | float | str | None
Picker = Literal["default", "baseline", "recipe", "model", "random"]


def same_configuration(one: Configuration, other: Configuration) -> bool:
    """Whether two configurations are equal, up to the rounding of floats in files."""
    return one.keys() == other.keys() and all(same_value(one[key], other[key]) for key in one)


def same_value(one: Value, other: Value) -> bool:
    """Whether two values of a hyperparameter are equal, up to the rounding of floats in files."""
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-9)
    return one == other


def picked_by(run: RunRecord, evaluation: EvaluationRecord) -> Picker:
    """Origin of a configuration: given by somebody, a pick of the optimizer's model, or chance."""
    configuration = evaluation.attempt.configuration
    if same_configuration(configuration, run.started.default):
        return "baseline" if run.started.baseline else "default"
    if any(same_configuration(configuration, each) for each in run.started.first):
        return "recipe"
    return "model" if evaluation.attempt.model_based else "random"
