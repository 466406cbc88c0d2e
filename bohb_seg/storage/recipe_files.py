"""Configurations that people have at hand: ``--baseline`` and ``--recipe``.

What may be given: a table of hyperparameters in YAML or JSON, several of them in a list, the
``incumbent.json`` of a run or what HpBandSter, NNI and others write around such a table, the
directory of a run (or a file in it), which means its incumbent, or the name of a recipe that the
package has.
"""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bohb_seg.errors import SettingsError
from bohb_seg.spaces import formats
from bohb_seg.spaces.formats import text
from bohb_seg.spaces.formats.plain_values import is_plain, problem_of_name, shown
from bohb_seg.storage import settings_record, warm_start
from bohb_seg.trials import Configuration

SHIPPED = Path(formats.__file__).parents[1] / "recipes"
"""Folder of the recipes that the package has, one file each."""

_TABLES = ("configuration", "config", "parameters", "params", "hyperparameters")
"""Names under which files keep a configuration: ours, HpBandSter's, NNI's, Optuna's and others'."""
_INCUMBENT = "incumbent.json"
_FILES_OF_A_RUN = frozenset(
    {
        *("events.jsonl", "configs.json", "results.json", "results.pkl"),
        *("settings.yaml", "configspace.json", "model.keras", _INCUMBENT),
    }
)

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Recipe:
    """A configuration that somebody gave.

    Args:
        where: The flag and what it was given, for messages.
        source: What it was given.
        values: Hyperparameters by name, as they stand in the file.
        preset: Preset under which they were trained, from which defaults of the model follow; None
            if that is not known.
    """

    where: str
    source: str
    values: Configuration
    preset: str | None = None


def read(flag: str, path: Path) -> list[Recipe]:
    """Reads what a flag was given.

    Raises:
        SettingsError: there is no such thing, or it holds no configuration.
        SpaceError: the file cannot be read, is broken, or says what can be taken in two ways.
        JournalError: the files of a run are damaged.
    """
    where, place = f"{flag} {path}", path.expanduser()
    if place.name in _FILES_OF_A_RUN and _holds_run(place.parent):
        place = place.parent
    if place.is_dir():
        preset = settings_record.preset(place)
        return [Recipe(where, str(path), _incumbent(flag, place, where), preset)]
    if not place.exists() and (shipped := SHIPPED / f"{path}.yaml").is_file():
        place = shipped
    if not place.exists():
        names = ", ".join(sorted(file.stem for file in SHIPPED.glob("*.yaml")))
        raise SettingsError(
            f"{where}: there is no such file, and no recipe of this name; there are: {names}"
        )
    try:
        form = text.parsed(place, where)
    except RecursionError:
        raise SettingsError(f"{where} is broken: it is nested too deeply") from None
    forms = form if isinstance(form, list) and form else [form]
    return [Recipe(where, str(path), _table(each, where)) for each in forms]


def read_one(flag: str, path: Path) -> Recipe:
    """Reads what a flag was given that takes one configuration.

    Raises:
        SettingsError: there is no such thing, or it holds no configuration, or several.
        SpaceError: the file cannot be read, is broken, or says what can be taken in two ways.
        JournalError: the files of a run are damaged.
    """
    first, *others = read(flag, path)
    if others:
        raise SettingsError(
            f"{first.where} holds {len(others) + 1} configurations; give a file with one of them"
        )
    return first


def _holds_run(folder: Path) -> bool:
    return any((folder / name).is_file() for name in ("events.jsonl", "results.json", _INCUMBENT))


def _table(form: Any, where: str) -> Configuration:
    """The table of hyperparameters in a parsed file, which may stand within another one."""
    inner = [form[name] for name in _TABLES if name in form] if isinstance(form, Mapping) else []
    table = next((each for each in inner if isinstance(each, Mapping)), form)
    if not isinstance(table, Mapping) or not table:
        raise SettingsError(
            f"{where} holds no table of hyperparameters; write one 'name: value' a line"
        )
    for name, value in table.items():
        if problem := problem_of_name(name):
            raise SettingsError(f"{where}: {problem}")
        if not is_plain(value):
            raise SettingsError(
                f"{where}: {name} is {shown(value)}, which is no value of a hyperparameter; write"
                " a finite number, text on one line, true or false"
            )
    return table


def _incumbent(flag: str, folder: Path, where: str) -> Configuration:
    """The incumbent of a run, or else its best evaluation at the largest budget."""
    if (folder / _INCUMBENT).is_file():
        return _table(text.parsed(folder / _INCUMBENT, f"{where}: {_INCUMBENT}"), where)
    (run,) = warm_start.read([folder], flag)
    finished = [each for each in run.observations if each.loss is not None]
    if not finished:
        raise SettingsError(f"{where}: no evaluation of this run has a loss; give another one")
    best = min(finished, key=lambda each: (-each.budget, each.loss or 0.0))
    return best.configuration


def distinct(configurations: Iterable[Configuration]) -> tuple[Configuration, ...]:
    """Configurations without those that stand there before."""
    found: list[Configuration] = []
    for each in configurations:
        if each not in found:
            found.append(each)
    return tuple(found)
