"""Checks whether a space can be searched, whatever format it comes from.

The last check is a rehearsal: the space is written down and read again as the journal does it, and
configurations are drawn from it as an optimizer does it.
"""

import copy
import json
from typing import Any

from ConfigSpace import (
    CategoricalHyperparameter,
    ConfigurationSpace,
    Constant,
    OrdinalHyperparameter,
)

from bohb_seg.errors import SpaceError
from bohb_seg.spaces.formats import configspace, drawing
from bohb_seg.spaces.formats.plain_values import (
    is_number,
    is_plain,
    one_line,
    problem_of_name,
    shown,
)

_NUMBERS = ("lower", "upper", "mu", "sigma", "alpha", "beta", "default_value")


def checked(space: Any, where: str) -> ConfigurationSpace:
    """Returns ``space`` itself if it can be searched.

    Args:
        space: The space, or whatever a plug-in returned as one.
        where: Name of the space in messages.

    Raises:
        SpaceError: it is no space, is empty, has names or values that are not plain, cannot be kept
            in a journal, or has hardly any legal configuration.
    """
    if not isinstance(space, ConfigurationSpace):
        raise SpaceError(
            f"{where}: space() must return a ConfigSpace.ConfigurationSpace,"
            f" not {type(space).__name__}"
        )
    if not len(space):
        raise SpaceError(f"{where} is empty; name at least one hyperparameter")
    if space.name is not None and (problem := problem_of_name(space.name)):
        raise SpaceError(f"{where}: {problem}")
    for parameter in space.values():
        if problem := problem_of_name(parameter.name) or _problem(parameter):
            raise SpaceError(f"{where}: {problem}")
    _rehearse(space, where)
    return space


def _problem(parameter: Any) -> str:
    """The reason why a hyperparameter cannot be searched, as a sentence; "" if it can."""
    values = _values(parameter)
    for value in values:
        if not is_plain(value):
            return (
                f"{parameter.name} may not take the value {shown(value)};"
                " use finite numbers, text on one line, true, false or null"
            )
    for index, value in enumerate(values if not isinstance(parameter, Constant) else ()):
        drawn = configspace.as_plain(parameter.to_value(float(index)))
        if not (configspace.is_same(value, drawn) and value == drawn):
            return (
                f"{parameter.name} has the value {shown(value)}, which would be drawn as"
                f" {shown(drawn)}; use values of one type"
            )
    for field in _NUMBERS if not values else ():
        if not is_number(value := configspace.as_plain(getattr(parameter, field, 0))):
            return f"{parameter.name} has {field} {shown(value)}, which is no finite number"
    return ""


def _values(parameter: Any) -> tuple[Any, ...]:
    if isinstance(parameter, CategoricalHyperparameter):
        return tuple(parameter.choices)
    if isinstance(parameter, Constant):
        return (parameter.value,)
    return tuple(parameter.sequence) if isinstance(parameter, OrdinalHyperparameter) else ()


def _rehearse(space: ConfigurationSpace, where: str) -> None:
    """Does with a copy of the space what a run will do.

    Raises:
        SpaceError: something of it fails, or the copy is another space.
    """
    try:
        written = json.dumps(configspace.to_json(space), allow_nan=False)
        again = configspace.from_json(json.loads(written))
        again.get_default_configuration().check_valid_configuration()
        same = again == space
        drawn = copy.deepcopy(space)
        drawn.seed(0)
        for point in drawing.draw(drawn):
            point.check_valid_configuration()
    except SpaceError as error:
        raise SpaceError(f"{where}: {error}") from None
    except Exception as error:  # what ConfigSpace raises over a foreign space has no one type
        reason = one_line(f"{type(error).__name__}: {error}")
        raise SpaceError(
            f"{where} cannot be searched: {reason}; use ConfigSpace's own types, in their ranges"
        ) from None
    if not same:
        raise SpaceError(
            f"{where} is another space once it has been written down and read again; use"
            " ConfigSpace's own types and plain values, also in meta"
        )
