"""Puts a configuration that somebody wrote into a search space."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from ConfigSpace import (
    CategoricalHyperparameter,
    ConfigurationSpace,
    Constant,
    OrdinalHyperparameter,
)
from ConfigSpace import Configuration as Point
from ConfigSpace.exceptions import ForbiddenValueError

from bohb_seg.spaces.formats.configspace import as_plain, plain
from bohb_seg.spaces.formats.plain_values import is_number, reason, shown
from bohb_seg.trials import Configuration


class OutsideError(Exception):
    """A configuration is none of a space: half a sentence says why."""


def placed(space: ConfigurationSpace, values: Mapping[str, Any]) -> Configuration:
    """The configuration of a space that has these values.

    Args:
        space: The space.
        values: Plain values by name. A missing one is the space's default. Values of inactive
            hyperparameters, and those of names that the space does not have, are left out.

    Raises:
        OutsideError: the value of an active hyperparameter is none of the space, or a clause
            forbids the values together.
    """
    vector = np.array([p.to_vector(p.default_value) for p in space.values()], np.float64)
    for index, name in enumerate(space.at):  # parents come before their children
        conditions = space.parent_conditions_of.get(name, ())
        if not all(condition.satisfied_by_vector(vector) for condition in conditions):
            vector[index] = np.nan
        elif name in values:
            vector[index] = space[name].to_vector(_value_of(space[name], values[name]))
    try:
        point = Point(space, vector=vector)
        return plain(Point(space, values=dict(point)))
    except ForbiddenValueError as error:
        raise OutsideError(
            f"the search space forbids some of its values together ({reason(error)})"
        ) from None


def _value_of(parameter: Any, value: Any) -> Any:
    """The value as the space has it: 8 for 8.0 among whole numbers."""
    choices = _choices(parameter)
    if choices is None:
        found = _number_of(parameter, value)
    else:
        # True equals 1 in Python, but is another choice.
        alike = (each for each in choices if isinstance(each, bool) == isinstance(value, bool))
        found = next((each for each in alike if each == value), _NOTHING)
    if found is _NOTHING:
        raise OutsideError(
            f"{parameter.name} is {shown(value)}, and the search space has {_allowed(parameter)}"
        )
    return found


_NOTHING = object()


def _choices(parameter: Any) -> Sequence[Any] | None:
    """All values of a hyperparameter; None if it has a range."""
    match parameter:
        case CategoricalHyperparameter():
            values: Sequence[Any] = parameter.choices
        case OrdinalHyperparameter():
            values = parameter.sequence
        case Constant():
            values = (parameter.value,)
        case _:
            return None
    return [as_plain(value) for value in values]


def _number_of(parameter: Any, value: Any) -> Any:
    if not is_number(value):
        return _NOTHING
    low, high = as_plain(parameter.lower), as_plain(parameter.upper)
    for bound in (low, high):  # a file may have rounded it
        if math.isclose(value, bound, rel_tol=1e-9):
            return bound
    if not low <= value <= high or (isinstance(low, int) and value != int(value)):
        return _NOTHING
    return int(value) if isinstance(low, int) else float(value)


def _allowed(parameter: Any) -> str:
    choices = _choices(parameter)
    if choices is None:
        low, high = as_plain(parameter.lower), as_plain(parameter.upper)
        return f"{'whole numbers from ' if isinstance(low, int) else ''}{low:g} to {high:g}"
    return ", ".join(map(shown, choices)) if len(choices) > 1 else f"only {shown(choices[0])}"
