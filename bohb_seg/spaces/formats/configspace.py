"""ConfigSpace's own format, as JSON or YAML, and configurations as plain values."""

import copy
import json
import logging
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from ConfigSpace import Configuration as Point
from ConfigSpace import ConfigurationSpace
from ConfigSpace.exceptions import ForbiddenValueError
from ConfigSpace.hyperparameters import FloatHyperparameter
from ConfigSpace.hyperparameters.hp_components import ROUND_PLACES

from bohb_seg.errors import SpaceError
from bohb_seg.spaces.formats import configspace_fields
from bohb_seg.spaces.formats.plain_values import ROUNDING, is_number, one_line, reason, shown
from bohb_seg.trials import Configuration

_log = logging.getLogger(__name__)


def looks_like(form: Any) -> bool:
    """Whether parsed JSON or YAML has ConfigSpace's shape."""
    return isinstance(form, Mapping) and "hyperparameters" in form


def read(form: Mapping[str, Any], where: str) -> ConfigurationSpace:
    """Reads a parsed file, also one of ConfigSpace before 1.0.

    The space that comes out is written down again and compared with the file, so that nothing in
    the file is lost without a word. Warnings of ConfigSpace are logged.

    Args:
        form: Parsed JSON or YAML.
        where: Name of the space in messages.

    Raises:
        SpaceError: names the hyperparameter, the field and its value, and says what is wrong.
    """
    said = configspace_fields.present(form, where)
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        try:
            space = from_json(said)
        except ForbiddenValueError as error:
            raise SpaceError(
                f"{where}: its default values together are forbidden ({reason(error)}); change one"
                " of them, or the clause"
            ) from None
        except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError) as error:
            raise SpaceError(f"{where} is not a ConfigSpace: {reason(error)}") from None
    for warning in heard:
        _log.warning("%s: ConfigSpace warns: %s", where, one_line(warning.message))
    for difference in _differences(said, to_json(space)):
        raise SpaceError(f"{where}: {difference}")
    return space


def to_json(space: ConfigurationSpace) -> dict[str, Any]:
    """ConfigSpace's own JSON form of a space, equal to what is read back from a file of it."""
    form: dict[str, Any] = json.loads(json.dumps(space.to_serialized_dict()))
    return form


def from_json(form: Mapping[str, Any]) -> ConfigurationSpace:
    """The space of a JSON form written by :func:`to_json`."""
    # ConfigSpace changes what it reads.
    return ConfigurationSpace.from_serialized_dict(copy.deepcopy(dict(form)))


def plain(configuration: Point) -> Configuration:
    """The active hyperparameters as plain Python values, fit for the wire and for JSON."""
    return {name: as_plain(value) for name, value in configuration.items()}


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
            decoded[row][name] = as_plain(value)
    return decoded


def is_same(said: Any, kept: Any) -> bool:
    """Whether a library kept a value as it was said; true is not 1, but 1 is 1.0."""
    if is_number(said) and is_number(kept):
        return math.isclose(said, kept, rel_tol=ROUNDING)
    if isinstance(said, list | tuple) and isinstance(kept, list | tuple):
        return len(said) == len(kept) and all(map(is_same, said, kept))
    return type(said) is type(kept) and bool(said == kept)


def _differences(said: Mapping[str, Any], kept: Mapping[str, Any]) -> Iterator[str]:
    """Sentences about values of a file that ConfigSpace has not kept."""
    by_name = {each["name"]: each for each in kept["hyperparameters"]}
    for each in said["hyperparameters"]:
        found = by_name[each["name"]]
        for field, value in each.items():
            if field in ("log", "meta") or (value is None and field != "value"):
                continue
            if not is_same(value, found.get(field)):
                yield (
                    f"{each['name']} ({each['type']}): {field} {shown(value)} would become"
                    f" {shown(found.get(field))} in ConfigSpace; write a value that it keeps"
                )
    for kind in ("conditions", "forbiddens"):
        count, left = len(said.get(kind) or ()), len(kept[kind])
        if count != left:
            yield f"ConfigSpace keeps {left} of its {count} {kind}; remove those that repeat others"


def as_plain(value: Any) -> Any:
    """NumPy's scalars do not survive the wire; np.str_ and np.float64 hide as str and float."""
    return value.item() if isinstance(value, np.generic) else value
