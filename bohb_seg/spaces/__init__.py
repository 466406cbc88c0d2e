"""Search spaces, one per file with a space(), and the readers of space files."""

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from ConfigSpace import Configuration as Point
from ConfigSpace import ConfigurationSpace

from bohb_seg import plugins
from bohb_seg.spaces import readers
from bohb_seg.trials import Configuration


def load(name_or_file: str) -> ConfigurationSpace:
    """The space of a preset, or the one a file describes.

    Args:
        name_or_file: A file name of this folder (``seed-bohb``), or a path that ends in ``.json``
            (ConfigSpace's or NNI's), ``.yaml``, ``.yml`` or ``.py`` (with a ``space()``).

    Raises:
        UnknownPluginError: no preset of this name.
        SpaceError: the file is missing or broken, or holds what cannot be expressed.
    """
    if Path(name_or_file).suffix in readers.SUFFIXES:
        return readers.read(Path(name_or_file))
    module = plugins.find("spaces", name_or_file)
    return readers.checked(module.space(), f"the space {name_or_file}")


def plain(configuration: Point) -> Configuration:
    """The active hyperparameters as plain Python values, fit for the wire and for JSON."""
    return {name: _plain(value) for name, value in configuration.items()}


def to_json(space: ConfigurationSpace) -> dict[str, Any]:
    """ConfigSpace's own JSON form."""
    form: dict[str, Any] = space.to_serialized_dict()
    return form


def from_json(form: Mapping[str, Any]) -> ConfigurationSpace:
    """The space of a JSON form written by :func:`to_json`."""
    return ConfigurationSpace.from_serialized_dict(copy.deepcopy(dict(form)))


def _plain(value: Any) -> Any:
    """Numpy's scalars do not survive the wire; np.str_ and np.float64 hide as str and float."""
    return value.item() if isinstance(value, np.generic) else value
