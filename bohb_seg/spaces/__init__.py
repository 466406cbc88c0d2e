"""Search spaces, one per file with a space(), and the readers of space files."""

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from ConfigSpace import Configuration as Point
from ConfigSpace import ConfigurationSpace

from bohb_seg import plugins
from bohb_seg.search.data_facts import Facts
from bohb_seg.spaces.formats import readers
from bohb_seg.trials import Configuration


def load(name_or_file: str, facts: Facts | None = None) -> ConfigurationSpace:
    """The space of a preset, or the one a file describes.

    Args:
        name_or_file: A file name of this folder (``milestone3-bohb``), or a path that ends in
            ``.json`` (ConfigSpace's or NNI's), ``.yaml``, ``.yml`` or ``.py`` (with a ``space()``).
        facts: What is known of the data, for a ``space(facts)``, which may follow from it; its
            default configuration is then told in the log. None: typical ones.

    Raises:
        UnknownPluginError: no preset of this name.
        SpaceError: the file is missing or broken, or holds what cannot be expressed.
    """
    if Path(name_or_file).suffix in readers.SUFFIXES:
        return readers.read(Path(name_or_file), facts)
    module = plugins.find("spaces", name_or_file)
    return readers.built(module.space, facts, f"the space {name_or_file}")


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
