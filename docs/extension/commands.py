"""The commands of pyproject.toml, their flags, and the settings behind them."""

import importlib
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import click
from pydantic.fields import FieldInfo

from bohb_seg import settings
from bohb_seg.settings import DataSettings

ROOT = Path(__file__).parents[2]
_UNSET = (None, "", (), Path())
"""Defaults that say only that a flag was not given."""


@dataclass(frozen=True)
class Flag:
    """One flag of one command.

    Args:
        spellings: As on the command line, ``--x`` or ``--x`` and ``--no-x``.
        values: Its choices, ``A|B``; "" if any value is possible or none is taken.
        meaning: The text of ``--help``.
        default: As one would write it; "" if there is none.
        variable: The environment variable that sets it; "" if there is none.
        group: The settings class that has it; None for flags of one command alone.
    """

    spellings: tuple[str, ...]
    values: str
    meaning: str
    default: str
    variable: str
    group: type[DataSettings] | None


def project() -> Mapping[str, dict[str, object]]:
    """The content of pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def commands() -> dict[str, click.Command]:
    """Every installed command by name; the commands of a group by name and sub-command."""
    found: dict[str, click.Command] = {}
    for name, entry in sorted(project()["project"]["scripts"].items()):  # type: ignore[attr-defined]
        command = _command(name, entry.partition(":")[0])
        subcommands = command.commands if isinstance(command, click.Group) else {}
        found |= {f"{name} {each}": subcommands[each] for each in sorted(subcommands)}
        if not subcommands:
            found[name] = command
    return found


def _command(name: str, module: str) -> click.Command:
    """The click command of this name in a module of :mod:`bohb_seg.commands`."""
    objects = vars(importlib.import_module(module)).values()
    return next(each for each in objects if isinstance(each, click.Command) and each.name == name)


def flags(command: click.Command) -> list[Flag]:
    """The flags of a command in the order of its help, without ``--help`` and ``--version``."""
    kind = settings_of(command)
    options = [each for each in command.params if isinstance(each, click.Option)]
    return [_flag(each, kind) for each in options if each.name not in ("help", "version")]


def arguments(command: click.Command) -> str:
    """The usage line's words for what is no flag, ``"DIR"`` for example."""
    context = click.Context(command)
    found = [each for each in command.params if isinstance(each, click.Argument)]
    return " ".join(each.make_metavar(context) for each in found)


def settings_of(command: click.Command) -> type[DataSettings] | None:
    """The largest settings class of which the command has every field as a flag."""
    names = {each.name for each in command.params}
    fitting = [kind for kind in _kinds(DataSettings) if names >= kind.model_fields.keys()]
    return max(fitting, key=lambda kind: len(kind.model_fields), default=None)


def _kinds(kind: type[DataSettings]) -> Iterator[type[DataSettings]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _kinds(child)


def _flag(option: click.Option, kind: type[DataSettings] | None) -> Flag:
    name = str(option.name)
    field = kind.model_fields.get(name) if kind else None
    spellings = (*option.opts, *option.secondary_opts)
    if kind is None or field is None:
        default = "" if option.is_flag else _shown(option.default)
        return Flag(spellings, _values(option), option.help or "", default, "", None)
    variable = f"BOHB_{settings.public(name).upper()}"
    meaning = f"{field.description}."
    return Flag(spellings, _values(option), meaning, _default(field), variable, _owner(kind, name))


def _values(option: click.Option) -> str:
    if isinstance(option.type, click.Choice):
        return "|".join(map(str, option.type.choices))
    return option.metavar if option.metavar and "|" in option.metavar else ""


def _default(field: FieldInfo) -> str:
    if isinstance(field.default, bool):
        return "yes" if field.default else ""
    return _shown(field.default)


def _shown(value: object) -> str:
    """A default as one would write it; click marks what has none by a member of an enumeration."""
    unset = isinstance(value, Enum) or value in _UNSET
    return "" if unset else str(value)


def _owner(kind: type[DataSettings], name: str) -> type[DataSettings]:
    """The class of the family that brings the field in."""
    line = [each for each in kind.__mro__ if issubclass(each, DataSettings)]
    return next(each for each in reversed(line) if name in each.model_fields)
