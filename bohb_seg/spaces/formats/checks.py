"""Checks whether a space can be searched, whatever format it comes from."""

from typing import Any

from ConfigSpace import (
    CategoricalHyperparameter,
    ConfigurationSpace,
    Constant,
    OrdinalHyperparameter,
)

from bohb_seg.errors import SpaceError


def checked(space: Any, where: str) -> ConfigurationSpace:
    """Returns ``space`` itself if it can be searched.

    Args:
        space: The space, or whatever a plug-in returned as one.
        where: Name of the space in messages.

    Raises:
        SpaceError: it is no space, is empty, or has values that are not plain.
    """
    if not isinstance(space, ConfigurationSpace):
        raise SpaceError(
            f"{where}: space() must return a ConfigSpace.ConfigurationSpace,"
            f" not {type(space).__name__}"
        )
    if not len(space):
        raise SpaceError(f"{where} is empty; name at least one hyperparameter")
    for parameter in space.values():
        for value in _values(parameter):
            if not isinstance(value, bool | int | float | str | None):
                raise SpaceError(
                    f"{where}: {parameter.name} may not take the value {value!r};"
                    " use numbers, strings, true, false or null"
                )
    return space


def _values(parameter: Any) -> tuple[Any, ...]:
    if isinstance(parameter, CategoricalHyperparameter):
        return tuple(parameter.choices)
    if isinstance(parameter, Constant):
        return (parameter.value,)
    return tuple(parameter.sequence) if isinstance(parameter, OrdinalHyperparameter) else ()
