"""ConfigSpace's own format, as JSON or YAML, and configurations as plain values."""

import copy
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from ConfigSpace import Configuration as Point
from ConfigSpace import ConfigurationSpace
from ConfigSpace.hyperparameters import FloatHyperparameter
from ConfigSpace.hyperparameters.hp_components import ROUND_PLACES

from bohb_seg.errors import SpaceError
from bohb_seg.trials import Configuration


def looks_like(form: Any) -> bool:
    """Whether parsed JSON or YAML has ConfigSpace's shape."""
    return isinstance(form, Mapping) and "hyperparameters" in form


def read(form: Mapping[str, Any], where: str) -> ConfigurationSpace:
    """Reads a parsed file, also one of ConfigSpace before 1.0.

    Args:
        form: Parsed JSON or YAML.
        where: Name of the space in messages.

    Raises:
        SpaceError: a field is missing or wrong.
    """
    try:
        with warnings.catch_warnings():
            # Files of ConfigSpace before 1.0 are read correctly, with a warning for every field.
            warnings.simplefilter("ignore")
            return from_json(form)
    except KeyError as error:
        raise SpaceError(f"{where}: the field {error} is missing") from None
    except (ValueError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())
        raise SpaceError(f"{where} is not a ConfigSpace: {reason}") from None


def to_json(space: ConfigurationSpace) -> dict[str, Any]:
    """ConfigSpace's own JSON form of a space."""
    form: dict[str, Any] = space.to_serialized_dict()
    return form


def from_json(form: Mapping[str, Any]) -> ConfigurationSpace:
    """The space of a JSON form written by :func:`to_json`."""
    # ConfigSpace changes what it reads.
    return ConfigurationSpace.from_serialized_dict(copy.deepcopy(dict(form)))


def plain(configuration: Point) -> Configuration:
    """The active hyperparameters as plain Python values, fit for the wire and for JSON."""
    return {name: _plain(value) for name, value in configuration.items()}


def plain_all(space: ConfigurationSpace, points: Sequence[Point]) -> Sequence[Configuration]:
    """The same as :func:`plain` of each point, several times as fast for many.

    ConfigSpace decodes a column of vectors in little more time than a single number.

    Args:
        space: The space of all points.
        points: Any number of points.
    """
    decoded: list[dict[str, Any]] = [{} for _ in points]
    vectors = np.array([point.get_array() for point in points]).reshape(len(points), len(space))
    for name, hyperparameter in space.items():
        column = vectors[:, space.index_of[name]]
        active = np.flatnonzero(~np.isnan(column))
        values = hyperparameter.to_value(column[active])
        if isinstance(hyperparameter, FloatHyperparameter):
            values = np.round(values, ROUND_PLACES)  # as ConfigSpace does for one point
        for row, value in zip(active, values.tolist(), strict=True):
            decoded[row][name] = _plain(value)
    return decoded


def _plain(value: Any) -> Any:
    """NumPy's scalars do not survive the wire; np.str_ and np.float64 hide as str and float."""
    return value.item() if isinstance(value, np.generic) else value
