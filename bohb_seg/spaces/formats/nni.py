"""NNI's ``search_space.json``: ``{"lr": {"_type": "loguniform", "_value": [1e-4, 0.1]}, ...}``.

A *nested choice* has dictionaries among its options. Each of them has a ``_name`` and
hyperparameters of its own, which are active only when the option is chosen. NNI gives nested
dictionaries to its trials; our configurations are flat. There the value of the choice is the name
of the option, and a nested hyperparameter keeps its name, or is called ``choice.name`` if the file
uses its name more than once. Options of one choice may share a hyperparameter if they describe it
alike.

Source: https://nni.readthedocs.io/en/stable/hpo/search_space.html
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ConfigSpace import ConfigurationSpace, InCondition

from bohb_seg.errors import SpaceError
from bohb_seg.spaces.formats import nni_types
from bohb_seg.spaces.formats.plain_values import problem_of_name, reason, shown

Form = Mapping[str, Any]
"""Parsed JSON."""

_FIELDS = {"_type", "_value"}


@dataclass(frozen=True)
class _Entry:
    """One hyperparameter of the file.

    Args:
        path: Names of the choices that it is nested in, outermost first, then its own name.
        kind: Its ``_type``.
        value: Its ``_value``, as it stands in the file.
        options: Options of the innermost choice with which it is active; empty: always active.
    """

    path: tuple[str, ...]
    kind: str
    value: Any
    options: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{'.'.join(self.path)} ({self.kind})"


def looks_like(form: Any) -> bool:
    """Whether a parsed JSON file has NNI's shape, at least in part."""
    return isinstance(form, Mapping) and any(
        isinstance(item, Mapping) and not _FIELDS.isdisjoint(item) for item in form.values()
    )


def read(form: Form, where: str) -> ConfigurationSpace:
    """Translates a parsed NNI space.

    Args:
        form: Parsed JSON or YAML.
        where: Name of the space in messages.

    Raises:
        SpaceError: names the space and the hyperparameter that cannot be expressed.
    """
    space = ConfigurationSpace()
    entries: list[_Entry] = []
    for name, item in form.items():
        with _naming(where, shown(name)):
            entry = _entry((name,), item)
        with _naming(where, entry):
            entries += [entry, *_nested(entry)]
    names = _names(entries)
    for entry in entries:
        with _naming(where, entry):
            _add(space, entry, names)
    return space


def _entry(path: tuple[str, ...], item: Any, options: tuple[str, ...] = ()) -> _Entry:
    """One hyperparameter of the file.

    Raises:
        ValueError: its name or its fields are not NNI's.
    """
    if problem := problem_of_name(path[-1]):
        raise ValueError(problem)
    if not isinstance(item, Mapping) or item.keys() != _FIELDS:
        raise ValueError(f"expected a table of _type and _value alone, not {shown(item)}")
    if not (isinstance(item["_type"], str) and item["_type"].isprintable()):
        raise ValueError(f"its _type {shown(item['_type'])} is no type")
    return _Entry(path, item["_type"], item["_value"], options)


@contextmanager
def _naming(where: str, entry: object) -> Iterator[None]:
    """Turns errors within into one sentence that names space and hyperparameter."""
    try:
        yield
    except (ValueError, TypeError, OverflowError) as error:
        raise SpaceError(f"{where}: {entry}: {reason(error)}") from None


def _names(entries: Sequence[_Entry]) -> dict[tuple[str, ...], str]:
    """Names of all hyperparameters in our flat space, by their paths."""
    own = Counter(entry.path[-1] for entry in entries)
    return {
        entry.path: entry.path[-1] if own[entry.path[-1]] == 1 else ".".join(entry.path)
        for entry in entries
    }


def _add(space: ConfigurationSpace, entry: _Entry, names: Mapping[tuple[str, ...], str]) -> None:
    value = entry.value
    if options := _options(entry):
        value = [_name(option) if isinstance(option, Mapping) else option for option in options]
    parameter = nni_types.translated(names[entry.path], entry.kind, value)
    space.add(parameter)
    if entry.options:
        choice = space[names[entry.path[:-1]]]
        space.add(InCondition(parameter, choice, list(entry.options)))


def _nested(choice: _Entry) -> Iterator[_Entry]:
    """Finds the hyperparameters within the options of a choice, at any depth.

    Raises:
        ValueError: an option has no name, or two describe one hyperparameter differently.
    """
    found: dict[str, tuple[Form, tuple[str, ...]]] = {}
    for option, name, item in _within(choice):
        known, options = found.get(name, (item, ()))
        if item != known:
            raise ValueError(
                f"its options describe {name} in different ways, which cannot be expressed;"
                " give each a name of its own"
            )
        found[name] = item, (*options, option)
    for name, (item, options) in found.items():
        entry = _entry((*choice.path, name), item, options)
        yield entry
        yield from _nested(entry)


def _within(choice: _Entry) -> Iterator[tuple[str, str, Form]]:
    """Option, name and description of each hyperparameter that is nested directly in a choice."""
    for option in _options(choice):
        for name, item in option.items() if isinstance(option, Mapping) else ():
            if name == "_name":
                continue
            if not isinstance(item, Mapping) or item.keys() != _FIELDS:
                raise ValueError(
                    f"{shown(name)} of the option {_name(option)} needs _type and _value alone, not"
                    f" {shown(item)}"
                )
            yield _name(option), name, item


def _options(entry: _Entry) -> list[Any]:
    return entry.value if entry.kind == "choice" and isinstance(entry.value, list) else []


def _name(option: Form) -> str:
    name = option.get("_name")
    if not isinstance(name, str):
        raise ValueError(f"the option {shown(dict(option))} needs a _name")
    return name
