"""The fields of ConfigSpace's format, old and new, each checked before ConfigSpace sees it.

ConfigSpace itself passes over fields that it does not know, takes any text for true, rounds bounds,
and drops from files of before 1.0 what it has given up: quantisation and probabilities. Here every
field is understood or refused:

- ``default`` is ``default_value``, ``probabilities`` are ``weights``, ``unparametrized`` is
  ``constant``.
- ``q`` of a uniform hyperparameter becomes an ordinal of all its values. They are equally probable,
  and keep their order. On other scales it is refused: an ordinal would have other probabilities.

Source: https://automl.github.io/ConfigSpace/latest/reference/serialization/
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bohb_seg.errors import SpaceError
from bohb_seg.spaces.formats.plain_values import (
    LARGEST_WHOLE,
    MOST_VALUES,
    is_number,
    is_plain,
    problem_of_name,
    problem_of_number,
    repeated,
    shown,
)

Fields = Mapping[str, Any]

_RANGE = ("lower", "upper")
_NUMERIC: Mapping[str, tuple[str, ...]] = {
    "uniform_float": _RANGE,
    "uniform_int": _RANGE,
    "normal_float": ("mu", "sigma", *_RANGE),
    "normal_int": ("mu", "sigma", *_RANGE),
    "beta_float": ("alpha", "beta", *_RANGE),
    "beta_int": ("alpha", "beta", *_RANGE),
}
_LISTS = {"categorical": "choices", "ordinal": "sequence"}
_SPACE = (
    *("name", "hyperparameters", "conditions", "forbiddens"),
    *("format_version", "json_format_version", "python_module_version"),
)
_COMPARED = ("EQ", "NEQ", "LT", "GT")
_CLAUSES = ("EQUALS", "CLAUSE_LT", "CLAUSE_LE", "CLAUSE_GT", "CLAUSE_GE")
_RELATIONS = ("RELATION_LT", "RELATION_LE", "RELATION_EQ", "RELATION_GT", "RELATION_GE")


def present(form: Fields, where: str) -> dict[str, Any]:
    """Checks a parsed file and returns it in the words of today.

    Args:
        form: Parsed JSON or YAML.
        where: Name of the space in messages.

    Raises:
        SpaceError: names the entry, the field, its value, and the reason why it is refused.
    """
    space = Part(where, "", form)
    space.only(("hyperparameters",), _SPACE)
    listed = {kind: space.entries(kind) for kind in ("hyperparameters", "conditions", "forbiddens")}
    parameters = [_hyperparameter(each) for each in listed["hyperparameters"]]
    names = [each["name"] for each in parameters]
    if twice := repeated(names):
        raise SpaceError(f"{where}: two hyperparameters are called {twice[0]}; rename one of them")
    for each in listed["conditions"]:
        _check_condition(each, names)
    for each in listed["forbiddens"]:
        _check_clause(each, names)
    return {**form, "hyperparameters": parameters}


@dataclass(frozen=True)
class Part:
    """One entry of a file.

    Args:
        where: Name of the space in messages.
        title: Name of the entry in messages; empty: the whole file.
        fields: The entry.
    """

    where: str
    title: str
    fields: Fields

    def refusal(self, field: str, reason: str) -> SpaceError:
        """An error about the value of a field; the reason follows the value."""
        return self.complaint(f"{field} {shown(self.fields.get(field))} {reason}")

    def complaint(self, sentence: str) -> SpaceError:
        """An error about the entry."""
        return SpaceError(f"{self.where}: {self.title and f'{self.title}: '}{sentence}")

    def only(self, needed: Sequence[str], allowed: Sequence[str]) -> None:
        """Makes sure that all fields are known and none is missing."""
        for field in needed:
            if field not in self.fields:
                raise self.complaint(f"the field {field!r} is missing")
        if unknown := [field for field in self.fields if field not in (*needed, *allowed)]:
            known = ", ".join(dict.fromkeys((*needed, *allowed)))
            raise self.complaint(
                f"the field {shown(unknown[0])} is unknown; remove it, there are: {known}"
            )

    def entries(self, field: str) -> list["Part"]:
        """The entries of a list of tables."""
        found = self.fields.get(field)
        items = [] if found is None else found
        if not isinstance(items, list):
            raise self.refusal(field, "is no list")
        title = field.removesuffix("s")
        parts = [Part(self.where, f"{title} {n}", item) for n, item in enumerate(items, start=1)]
        for part in parts:
            if not isinstance(part.fields, Mapping):
                raise SpaceError(f"{self.where}: {part.title} is {shown(part.fields)}, no table")
        return parts

    def number(self, field: str, whole: bool = False) -> float:
        """A finite number; a whole one within what is kept exactly, where ``whole``."""
        value: Any = self.fields.get(field)
        if isinstance(value, str):
            raise self.refusal(field, "is text; write a number without quotation marks")
        if not is_number(value):
            raise self.refusal(field, "is no finite number")
        if whole and value != round(value):
            raise self.refusal(field, "is no whole number, but the type is one of whole numbers")
        if whole and abs(value) > LARGEST_WHOLE:
            raise self.refusal(field, "is too large to be kept exactly; use a float or a list")
        if problem := problem_of_number(value):
            raise self.refusal(field, problem)
        return float(value)


# --- hyperparameters --------------------------------------------------------------------------


def _hyperparameter(part: Part) -> dict[str, Any]:
    """One hyperparameter in the words of today."""
    name, kind = part.fields.get("name"), part.fields.get("type")
    if problem := problem_of_name(name):
        raise part.complaint(problem)
    if not isinstance(kind, str):
        raise Part(part.where, str(name), part.fields).refusal("type", "is no type")
    kind = "constant" if kind == "unparametrized" else kind
    part = Part(part.where, f"{name} ({kind})", {**part.fields, "type": kind})
    if kind in _NUMERIC:
        return _numeric(part, kind)
    if kind in _LISTS:
        return _listed(part, kind)
    if kind == "constant":
        part.only(("name", "type", "value"), ("meta",))
        if not is_plain(part.fields["value"]):
            raise part.refusal("value", "is no finite number, line of text, true, false or null")
        return dict(part.fields)
    known = ", ".join([*_NUMERIC, *_LISTS, "constant"])
    raise Part(part.where, str(name), part.fields).refusal(
        "type", f"cannot be expressed; those that can are: {known}"
    )


def _numeric(part: Part, kind: str) -> dict[str, Any]:
    needed = _NUMERIC[kind]
    part.only(("name", "type", *needed), ("default_value", "default", "log", "meta", "q"))
    part = _renamed(part, "default", "default_value")
    whole = kind.endswith("int")
    low, high = part.number("lower", whole), part.number("upper", whole)
    if low == high:
        raise part.refusal("upper", 'equals lower; for a single value use the type "constant"')
    if low > high:
        raise part.refusal("upper", f"lies below lower {shown(part.fields['lower'])}")
    for field in needed[:-2]:
        part.number(field)
    _check_scale(part, low)
    if part.fields.get("default_value") is not None:
        default = part.number("default_value", whole)
        if not low <= default <= high:
            raise part.refusal("default_value", f"is not within {low:g} and {high:g}")
    return _stepped(part, kind, low, high)


def _check_scale(part: Part, low: float) -> None:
    fields = part.fields
    if not isinstance(fields.get("log", False), bool):
        raise part.refusal("log", "is neither true nor false")
    if fields.get("log") and low <= 0:
        raise part.refusal("lower", "must be above 0 on a logarithmic scale (log)")
    if fields.get("log") and fields.get("mu", 1) <= 0:
        raise part.refusal("mu", "must be above 0 on a logarithmic scale (log)")
    if fields.get("sigma", 1) <= 0:
        raise part.refusal("sigma", "must be above 0")
    for field in ("alpha", "beta"):
        if fields.get(field, 1) < 1:
            raise part.refusal(field, "must be at least 1")


def _stepped(part: Part, kind: str, low: float, high: float) -> dict[str, Any]:
    """The hyperparameter without ``q``: an ordinal of its values if it has steps."""
    fields = {field: value for field, value in part.fields.items() if field != "q"}
    if part.fields.get("q") is None:
        return fields
    step, whole = part.number("q"), kind.endswith("int")
    if whole and step == 1:
        return fields
    if kind not in ("uniform_int", "uniform_float") or fields.get("log"):
        raise part.refusal("q", "cannot be kept on this scale; list the values in an ordinal")
    if step <= 0 or (whole and step != round(step)):
        raise part.refusal("q", "is no step between the values of this type")
    steps = (high - low) / step
    if steps >= MOST_VALUES:
        raise part.refusal("q", f"makes more than {MOST_VALUES} values; take a larger one, or none")
    if abs(steps - round(steps)) > 1e-9 * max(steps, 1) or round(steps) < 1:
        raise part.refusal(
            "q", f"does not lead from lower {low:g} to upper {high:g} in whole steps"
        )
    exact: Callable[[float], float] = round if whole else lambda value: float(f"{value:.12g}")
    sequence = [exact(low + index * step) for index in range(round(steps) + 1)]
    middle = sequence[(len(sequence) - 1) // 2]
    given = fields.get("default_value")
    default = middle if given is None else min(sequence, key=lambda value: abs(value - given))
    if given is not None and not math.isclose(default, given, rel_tol=1e-9, abs_tol=1e-9 * step):
        raise part.refusal("default_value", f"is none of the values in steps of q {step:g}")
    ordinal = {"type": "ordinal", "sequence": sequence, "default_value": default}
    return {"name": fields["name"], "meta": fields.get("meta"), **ordinal}


def _listed(part: Part, kind: str) -> dict[str, Any]:
    field = _LISTS[kind]
    weighted = ("weights", "probabilities") if kind == "categorical" else ()
    part.only(("name", "type", field), ("default_value", "default", "meta", *weighted))
    part = _renamed(_renamed(part, "default", "default_value"), "probabilities", "weights")
    values = part.fields[field]
    if not isinstance(values, list) or not values:
        raise part.refusal(field, "is no list of values")
    if len(values) > MOST_VALUES:
        raise part.complaint(f"{field} has more than {MOST_VALUES} values; use a range")
    if wrong := [value for value in values if not is_plain(value)]:
        raise part.complaint(
            f"may not take the value {shown(wrong[0])}; use finite numbers, text on one line,"
            " true, false or null"
        )
    if twice := repeated(values):
        raise part.complaint(f"{field} has the value {shown(twice[0])} twice (true equals 1)")
    if "default_value" in part.fields and part.fields["default_value"] not in values:
        raise part.refusal("default_value", f"is none of the {field}")
    _check_weights(part, len(values))
    return dict(part.fields)


def _check_weights(part: Part, count: int) -> None:
    weights = part.fields.get("weights")
    if weights is None:
        return
    if not isinstance(weights, list) or len(weights) != count:
        raise part.refusal("weights", f"are no list of {count} numbers, one for each choice")
    if not all(is_number(weight) and weight >= 0 for weight in weights):
        raise part.refusal("weights", "are not all finite numbers of at least 0")
    if not 0 < sum(map(float, weights)) < math.inf:
        raise part.refusal("weights", "have no sum above 0")


def _renamed(part: Part, old: str, new: str) -> Part:
    if old not in part.fields:
        return part
    fields = {field: value for field, value in part.fields.items() if field != old}
    if fields.get(new) is not None and part.fields[old] not in (None, fields[new]):
        raise part.refusal(old, f"contradicts {new} {shown(fields[new])}, its name of today")
    if fields.get(new) is None and not (part.fields[old] is None and new == "weights"):
        fields[new] = part.fields[old]
    return Part(part.where, part.title, fields)


# --- conditions and forbidden clauses ---------------------------------------------------------


def _check_condition(part: Part, names: Sequence[str]) -> None:
    kind = part.fields.get("type")
    if kind in ("AND", "OR"):
        part.only(("type", "conditions"), ("child",))
        for each in _parts(part, "conditions"):
            _check_condition(each, names)
            if part.fields.get("child") not in (None, each.fields.get("child")):
                raise part.refusal("child", "is not the child of its conditions")
        return
    if kind not in (*_COMPARED, "IN"):
        known = ", ".join((*_COMPARED, "IN", "AND", "OR"))
        raise part.refusal("type", f"is no type of condition; there are: {known}")
    part.only(("type", "child", "parent", "values" if kind == "IN" else "value"), ())
    _check_names(part, ("child", "parent"), names)
    _check_values(part)


def _check_clause(part: Part, names: Sequence[str]) -> None:
    kind = part.fields.get("type")
    if kind in ("AND", "OR"):
        part.only(("type", "clauses"), ())
        for each in _parts(part, "clauses"):
            _check_clause(each, names)
    elif kind in _RELATIONS or kind == "RELATION":
        part.only(("type", "left", "right"), ("lambda",) if kind == "RELATION" else ())
        _check_names(part, ("left", "right"), names)
        if kind == "RELATION" and part.fields.get("lambda") not in ("LT", "EQ", "GT"):
            raise part.refusal("lambda", "is no relation; there are: LT, EQ, GT")
    elif kind in (*_CLAUSES, "IN"):
        part.only(("type", "name", "values" if kind == "IN" else "value"), ())
        _check_names(part, ("name",), names)
        _check_values(part)
    else:
        known = ", ".join((*_CLAUSES, "IN", *_RELATIONS, "RELATION", "AND", "OR"))
        raise part.refusal("type", f"is no type of forbidden clause; there are: {known}")


def _parts(part: Part, field: str) -> Iterator[Part]:
    if not part.fields[field]:
        raise part.refusal(field, "is empty")
    for each in part.entries(field):
        yield Part(part.where, f"{part.title}, {each.title}", each.fields)


def _check_names(part: Part, fields: Sequence[str], names: Sequence[str]) -> None:
    for field in fields:
        if part.fields[field] not in names:
            raise part.refusal(field, "is no hyperparameter of this file")


def _check_values(part: Part) -> None:
    if "values" in part.fields and not (isinstance(part.fields["values"], list)):
        raise part.refusal("values", "is no list")
    if part.fields.get("values") == []:
        raise part.refusal("values", "is empty")
    listed = part.fields.get("values", [part.fields.get("value")])
    if wrong := [value for value in listed if not is_plain(value)]:
        raise part.complaint(
            f"the value {shown(wrong[0])} is no finite number, line of text, true, false or null"
        )
