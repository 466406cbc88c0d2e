"""Reads search spaces from files: ConfigSpace JSON or YAML, NNI JSON, Python."""

import importlib.util
import inspect
import json
import logging
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml
from ConfigSpace import (
    CategoricalHyperparameter,
    ConfigurationSpace,
    Constant,
    OrdinalHyperparameter,
)

from bohb_seg.errors import SpaceError
from bohb_seg.search.data_facts import TYPICAL, Facts
from bohb_seg.spaces.formats import nni

SUFFIXES = (".json", ".yaml", ".yml", ".py")

_log = logging.getLogger(__name__)


class _Loader(yaml.SafeLoader):
    """Plain YAML and tuples, which ConfigSpace writes for forbidden values but does not read."""

    def values(self, node: yaml.SequenceNode) -> list[Any]:
        """A tuple, as a list."""
        return list(self.construct_sequence(node, deep=True))


_Loader.add_constructor("tag:yaml.org,2002:python/tuple", _Loader.values)


def read(path: Path, facts: Facts | None) -> ConfigurationSpace:
    """The space a file describes; ``facts`` are for Python files, as in :func:`built`.

    Raises:
        SpaceError: the file is missing or broken, or holds what cannot be expressed.
    """
    if not path.is_file():
        raise SpaceError(f"search space {path}: there is no such file")
    if path.suffix == ".py":
        return _from_python(path, facts)
    return checked(_from_text(path), f"search space {path}")


def built(function: Callable[..., Any], facts: Facts | None, where: str) -> ConfigurationSpace:
    """What a ``space()`` or a ``space(facts)`` returns.

    Args:
        function: Takes nothing, or the facts.
        facts: What is known of the data; None: nothing yet, so typical ones are given.
        where: What the space is called in messages.

    Raises:
        SpaceError: it returns what cannot be searched.
    """
    asks = bool(inspect.signature(function).parameters)
    space = checked(function(facts or TYPICAL) if asks else function(), where)
    if asks and facts:
        values = space.get_default_configuration().items()
        chosen = ", ".join(f"{name} {value}" for name, value in values)
        _log.info("default configuration by rules from the data: %s", chosen)
    return space


def checked(space: Any, where: str) -> ConfigurationSpace:
    """``space`` itself, if it can be searched.

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


def _from_text(path: Path) -> ConfigurationSpace:
    try:
        text = path.read_text(encoding="utf-8")
        form = json.loads(text) if path.suffix == ".json" else yaml.load(text, _Loader)
    except OSError as error:
        raise SpaceError(f"search space {path} cannot be read: {error.strerror}") from None
    except (ValueError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise SpaceError(f"search space {path} is broken: {reason}") from None
    if isinstance(form, Mapping) and "hyperparameters" in form:
        return _from_configspace(path, dict(form))
    if nni.looks_like(form):
        return nni.read(path, form)
    raise SpaceError(
        f"search space {path} is neither ConfigSpace's format (it has no 'hyperparameters')"
        " nor NNI's (not every entry has '_type' and '_value')"
    )


def _from_configspace(path: Path, form: dict[str, Any]) -> ConfigurationSpace:
    try:
        with warnings.catch_warnings():
            # Files of ConfigSpace before 1.0 are read all right, with a warning for every field.
            warnings.simplefilter("ignore")
            return ConfigurationSpace.from_serialized_dict(form)
    except KeyError as error:
        raise SpaceError(f"search space {path}: the field {error} is missing") from None
    except (ValueError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())
        raise SpaceError(f"search space {path} is not a ConfigSpace: {reason}") from None


def _from_python(path: Path, facts: Facts | None) -> ConfigurationSpace:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        function = getattr(module, "space", None)
        if not callable(function):
            raise SpaceError(f"search space {path} does not define space()")
        return built(function, facts, f"search space {path}")
    except SpaceError:
        raise
    except Exception as error:  # the user's code may raise anything, which is bad input
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise SpaceError(f"search space {path} fails: {reason}") from error
