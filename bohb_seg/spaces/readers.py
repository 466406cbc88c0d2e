"""Reads search spaces from files: ConfigSpace JSON or YAML, NNI JSON, Python."""

import importlib.util
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from ConfigSpace import CategoricalHyperparameter, ConfigurationSpace, OrdinalHyperparameter

from bohb_seg.errors import SpaceError
from bohb_seg.spaces import nni

SUFFIXES = (".json", ".yaml", ".yml", ".py")


def read(path: Path) -> ConfigurationSpace:
    """The space a file describes.

    Raises:
        SpaceError: the file is missing or broken, or holds what cannot be expressed.
    """
    if not path.is_file():
        raise SpaceError(f"search space {path}: there is no such file")
    space = _from_python(path) if path.suffix == ".py" else _from_text(path)
    return checked(space, f"search space {path}")


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
    return tuple(parameter.sequence) if isinstance(parameter, OrdinalHyperparameter) else ()


def _from_text(path: Path) -> ConfigurationSpace:
    try:
        text = path.read_text(encoding="utf-8")
        form = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
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
        return ConfigurationSpace.from_serialized_dict(form)
    except KeyError as error:
        raise SpaceError(f"search space {path}: the field {error} is missing") from None
    except (ValueError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())
        raise SpaceError(f"search space {path} is not a ConfigSpace: {reason}") from None


def _from_python(path: Path) -> ConfigurationSpace:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        function = getattr(module, "space", None)
        if not callable(function):
            raise SpaceError(f"search space {path} does not define space()")
        return function()  # type: ignore[no-any-return]
    except SpaceError:
        raise
    except Exception as error:  # the user's code may raise anything, which is bad input
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise SpaceError(f"search space {path} fails: {reason}") from error
