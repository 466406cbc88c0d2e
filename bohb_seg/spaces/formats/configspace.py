"""ConfigSpace's own format, as JSON or YAML, and configurations as plain values."""

import copy
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from ConfigSpace import Configuration as Point
from ConfigSpace import ConfigurationSpace

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


def _plain(value: Any) -> Any:
    """NumPy's scalars do not survive the wire; np.str_ and np.float64 hide as str and float."""
    return value.item() if isinstance(value, np.generic) else value
