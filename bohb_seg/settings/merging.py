"""One set of settings from flags, a file and the environment.

A setting ``patch_size`` is the flag ``--patch-size``, the key ``patch_size`` of ``--config`` files
and the environment variable ``BOHB_PATCH_SIZE``; a flag wins over a file, a file over the
environment. All three win over the values of the chosen preset and of the synthetic data, and these
over the defaults of the fields.
"""

import os
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from bohb_seg.errors import SettingsError
from bohb_seg.files import read_regular
from bohb_seg.settings.fields import DataSettings
from bohb_seg.settings.names import flag_of, public, with_present_names
from bohb_seg.settings.presets import PRESETS, SYNTHETIC

AnySettings = TypeVar("AnySettings", bound=DataSettings)


_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
_OLD_NUMBER = re.compile(r"[-+]?0[0-9_]+|.*:.*")
"""Octal and sexagesimal numbers, which YAML 1.2 has given up."""


def merge(
    kind: type[AnySettings],
    flags: Mapping[str, Any],
    file: Path | None = None,
    environment: Mapping[str, str] = os.environ,
) -> AnySettings:
    """Merges flags, settings file and environment over presets and defaults, and checks them.

    Args:
        kind: The settings class to fill.
        flags: Values of the command line; None means that the flag was not given.
        file: The ``--config`` file, YAML with the fields of ``kind`` as keys.
        environment: The environment, in which ``BOHB_<FIELD>`` is looked up.

    Returns:
        The settings; ``model_fields_set`` holds those that were given, by whichever way.

    Raises:
        SettingsError: one sentence that names the setting, its source and its value.
    """
    sources = {
        "environment": _from_environment(kind, environment),
        str(file): _from_file(kind, file),
        "command line": {key: value for key, value in flags.items() if value is not None},
    }
    given = with_present_names(
        {key: value for source in sources.values() for key, value in source.items()}
    )
    origin = {key: name for name, source in sources.items() for key in source}
    brought = _brought_along(kind, given)
    try:
        merged = kind.model_validate({**brought, **given})
        merged.model_fields_set.difference_update(brought.keys() - given.keys())
        return merged
    except ValidationError as error:
        raise SettingsError(_sentence(error, origin)) from None


def _brought_along(kind: type[DataSettings], given: Mapping[str, Any]) -> dict[str, Any]:
    preset = str(given.get("preset", "default"))
    synthetic = given.get("data", "synthetic") == "synthetic"
    values = {**(SYNTHETIC if synthetic else {}), **PRESETS.get(preset, {})}
    return {key: value for key, value in values.items() if key in kind.model_fields}


def _from_environment(kind: type[DataSettings], environment: Mapping[str, str]) -> dict[str, str]:
    names = {field: f"BOHB_{public(field).upper()}" for field in kind.model_fields}
    return {field: environment[name] for field, name in names.items() if environment.get(name)}


def _from_file(kind: type[DataSettings], file: Path | None) -> dict[str, Any]:
    if file is None:
        return {}
    try:
        text = read_regular(file).decode("utf-8")
        values = yaml.safe_load(text) or {}
    except OSError as error:
        raise SettingsError(f"--config {file} cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, ValueError) as error:
        where = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", str(error).splitlines()[0])
        line = f", line {where.line + 1}" if where else ""
        raise SettingsError(
            f"--config {file}{line} is not YAML: {problem}; write one 'name: value' a line"
        ) from None
    if not isinstance(values, dict):
        raise SettingsError(f"--config {file} holds no settings; write one 'name: value' a line")
    _refuse_ambiguous(file, text)
    values = {str(name).replace("-", "_"): value for name, value in values.items()}
    fields = {public(field): field for field in kind.model_fields}
    if unknown := sorted(values.keys() - fields.keys()):
        raise SettingsError(
            f"--config {file}: unknown setting {unknown[0]!r}; there are:"
            f" {', '.join(sorted(fields))}"
        )
    return {fields[name]: value for name, value in values.items()}


def _refuse_ambiguous(file: Path, text: str) -> None:
    """YAML keeps the last line of a name, and takes 010 for eight and 1:30 for ninety."""
    table = yaml.compose(text, Loader=yaml.SafeLoader)
    pairs = table.value if isinstance(table, yaml.MappingNode) else []
    lines = [(str(name.value).replace("-", "_"), node) for name, node in pairs]
    names = Counter(name for name, _ in lines)
    for name, node in lines:
        if names[name] > 1:
            raise SettingsError(f"--config {file}: {name} stands there twice; leave one of them")
        if node.tag in _NUMBERS and _OLD_NUMBER.fullmatch(node.value):
            raise SettingsError(
                f"--config {file}, line {node.start_mark.line + 1}: {name} {node.value} would be"
                " taken for another number; write plain digits, or text in quotation marks"
            )


def _sentence(error: ValidationError, origin: Mapping[str, str]) -> str:
    first = error.errors()[0]
    message = first["msg"].removeprefix("Value error, ")
    if not first["loc"]:
        return message
    field = str(first["loc"][0])
    place = origin.get(field, "default")
    source = "" if place == "command line" else f" (from {place})"
    value = first["input"]
    said = "" if value in ("", ("",), [""]) else f" {value}"
    return f"{flag_of(field)}{said}{source}: {message.lower()}"
