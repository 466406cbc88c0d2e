"""Names, values and defaults of all hyperparameters: those of training, and those of each model.

Both halves use this file. The master refuses a wrong search space with it before any data are read;
a worker reads configurations with it. The master must not import Keras, so a model file states its
hyperparameters as **literals**, which are read without running the file::

    HYPERPARAMETERS = {
        "base_filters": {"default": 16, "range": (8, 512)},
        "norm": {"default": "none", "choices": ("none", "batch", "group")},
        "dropout": {"default": 0.2, "range": (0.0, 0.6), "value": True},
    }
    HALVINGS = 4
    PRESETS = {"milestone3": {"norm": "batch"}}

* ``range`` has the smallest and the largest value. Two whole numbers mean whole numbers; if one has
  a decimal point, fractions are allowed.
* ``value`` marks a dropout rate: configurations that differ in it share a compiled network, unless
  it is zero in one of them. All other hyperparameters are structure: each value is compiled anew.
* ``HALVINGS`` tells how often the model halves an image: a number, or the name of the
  hyperparameter that says so. Edges of patches are multiples of ``2 ** halvings`` pixels.
* ``PRESETS`` is optional: other defaults under a preset of ``--preset``.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from bohb_seg.errors import SettingsError
from bohb_seg.plugins.literals import LiteralError, Literals

Value = bool | int | float | str | None
"""Value of a hyperparameter, plain Python."""

GradientOptimizer = Literal["adam", "adamw", "sgd"]
Schedule = Literal["constant", "cosine", "poly"]
IN_A_SPACE = "the search space"
"""The usual place of hyperparameters, in messages."""

Loss = Literal["reports", "ce", "dice+ce", "dice+focal", "tversky"]


@dataclass(frozen=True)
class Hyperparameter:
    """One hyperparameter; it has either a range or choices.

    Args:
        name: Its name in configurations and search spaces.
        default: Value where a configuration does not name it; None: it is then not used.
        range: Smallest and largest value; two ints: whole numbers only.
        choices: All values.
        is_value: A dropout rate, see the top of the file.

    Raises:
        ValueError: the parts contradict each other.
    """

    name: str
    default: Value
    range: tuple[float, float] | None = None
    choices: tuple[Value, ...] = ()
    is_value: bool = False

    def __post_init__(self) -> None:
        if (self.range is None) == (not self.choices):
            raise ValueError("needs either a range or choices")
        if self.range and not self.range[0] <= self.range[1]:
            raise ValueError(f"has a range from {self.range[0]:g} down to {self.range[1]:g}")
        if self.is_value and not (self.range and self.range[0] >= 0 and self.range[1] < 1):
            raise ValueError("is a dropout rate, so it needs a range within 0 and 1, without 1")
        if self.default is not None:
            self.read(self.default)

    @property
    def is_whole(self) -> bool:
        """Whether only whole numbers are allowed."""
        return self.range is not None and all(type(bound) is int for bound in self.range)

    @property
    def allowed(self) -> str:
        """The values that are allowed, in words."""
        if self.range is None:
            return f"one of {', '.join(map(str, self.choices))}"
        low, high = self.range
        return f"{'a whole number' if self.is_whole else 'a number'} from {low:g} to {high:g}"

    def read(self, value: Any) -> Value:
        """Returns the value with the type that it should have: an int for 8.0 in whole numbers.

        Raises:
            ValueError: it is not allowed.
        """
        found = self._choice(value) if self.range is None else self._number(value)
        if found is None:
            raise ValueError(f"has the value {value!r} but needs {self.allowed}")
        return found

    def _choice(self, value: Any) -> Value:
        # True equals 1 in Python, but is another choice.
        alike = (choice for choice in self.choices if isinstance(choice, bool) == _is_bool(value))
        return next((choice for choice in alike if choice == value), None)

    def _number(self, value: Any) -> float | None:
        assert self.range
        if _is_bool(value) or not isinstance(value, int | float):
            return None
        if not self.range[0] <= value <= self.range[1]:
            return None
        if self.is_whole:
            return int(value) if value == int(value) else None
        return float(value)


def _is_bool(value: object) -> bool:
    return isinstance(value, bool)


def _by_name(*hyperparameters: Hyperparameter) -> dict[str, Hyperparameter]:
    return {each.name: each for each in hyperparameters}


TRAINING: Mapping[str, Hyperparameter] = _by_name(
    Hyperparameter("optimizer", "adam", choices=get_args(GradientOptimizer)),
    Hyperparameter("learning_rate", 1e-3, range=(0.0, math.inf)),
    Hyperparameter("sgd_learning_rate", 1e-2, range=(0.0, math.inf)),
    Hyperparameter("weight_decay", 0.0, range=(0.0, 1.0)),
    Hyperparameter("schedule", "constant", choices=get_args(Schedule)),
    Hyperparameter("batch_size", 16, range=(1, 4096)),
    Hyperparameter("val_batch_size", None, range=(1, 4096)),
    Hyperparameter("loss", "reports", choices=get_args(Loss)),
    Hyperparameter("region_weight", 0.5, range=(0.0, 1.0)),
    Hyperparameter("focal_gamma", 2.0, range=(0.0, 10.0)),
    Hyperparameter("augmentation", None, range=(0.0, 1.0)),
)
"""Hyperparameters of every training, whatever the model; ``training/recipe.py`` explains them.

The defaults are those of the un-tuned script of the Milestone 3 reports (docs/origin.md). Two of
them need a word. ``learning_rate`` is Adam's own 1e-3, because the one space without it comes from
the script that left Adam alone. ``loss`` is the reports' sum of weighted Dice and focal loss.
"""


@dataclass(frozen=True)
class ModelDeclaration:
    """The literals of a model file.

    Args:
        name: Name of the model, for messages.
        hyperparameters: Its own hyperparameters by name.
        halvings: How often it halves an image, or the hyperparameter that says so.
        presets: Other defaults by preset.
    """

    name: str
    hyperparameters: Mapping[str, Hyperparameter]
    halvings: int | str
    presets: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)

    @property
    def rates(self) -> tuple[str, ...]:
        """Names of its hyperparameters that are only values of a step: dropout rates."""
        return tuple(name for name, each in self.hyperparameters.items() if each.is_value)

    @property
    def known(self) -> Mapping[str, Hyperparameter]:
        """All hyperparameters that a configuration may name: those of training and its own."""
        return {**TRAINING, **self.hyperparameters}

    def defaults(self, preset: str) -> dict[str, Value]:
        """Defaults of its own hyperparameters under a preset."""
        plain = {name: each.default for name, each in self.hyperparameters.items()}
        return {**plain, **self.presets.get(preset, {})}

    def follows_preset(self, name: str) -> bool:
        """Whether a hyperparameter has another default under some preset."""
        return any(name in defaults for defaults in self.presets.values())

    def halvings_of(self, configuration: Mapping[str, Any]) -> int:
        """How often a configuration halves an image."""
        if isinstance(self.halvings, int):
            return self.halvings
        return int(configuration.get(self.halvings, self.hyperparameters[self.halvings].default))


def check_names(names: Iterable[str], model: ModelDeclaration, where: str = IN_A_SPACE) -> None:
    """Makes sure that all hyperparameters of a search space or a configuration are known.

    Raises:
        SettingsError: neither training nor the model knows one of them.
    """
    if unknown := sorted(set(names) - model.known.keys()):
        raise SettingsError(
            f"{where} has the hyperparameter {unknown[0]!r}, which neither training nor"
            f" the model {model.name} knows; rename or remove it, there are:"
            f" {', '.join(sorted(model.known))}"
        )


def check_values(configuration: Mapping[str, Any], model: ModelDeclaration) -> None:
    """Makes sure that a configuration, whole or in part, holds only values that are allowed.

    Raises:
        SettingsError: a hyperparameter is unknown, or its value is not allowed.
    """
    read_values(configuration, model)


def check_patch_size(
    patch_size: int, model: ModelDeclaration, configuration: Mapping[str, Any]
) -> None:
    """Makes sure that the model can halve a patch as often as a configuration says.

    Raises:
        SettingsError: the edge of the patch, in pixels, is no multiple of ``2 ** halvings``.
    """
    halvings = model.halvings_of(configuration)
    if patch_size % 2**halvings == 0:
        return
    why, remedy = f"the model {model.name} does", ""
    if isinstance(model.halvings, str):
        why = f"{model.halvings} {halvings} of this configuration wants"
        remedy = f" or a space with smaller {model.halvings}"
    raise SettingsError(
        f"--patch-size {patch_size} cannot be halved {halvings} times, as {why};"
        f" use a multiple of {2**halvings}{remedy}"
    )


def read_values(
    configuration: Mapping[str, Any], model: ModelDeclaration, where: str = IN_A_SPACE
) -> dict[str, Value]:
    """Returns the values of a configuration, each with the type that it should have.

    Args:
        configuration: Active hyperparameters by name.
        model: The model that it is for.
        where: The place of the configuration, for messages.

    Raises:
        SettingsError: a hyperparameter is unknown, or its value is not allowed.
    """
    check_names(configuration, model, where)
    known, values = model.known, {}
    for name, value in configuration.items():
        try:
            values[name] = known[name].read(value)
        except ValueError as error:
            raise SettingsError(
                f"the hyperparameter {name} {error}; change it in {where}"
            ) from None
    return values


def of_model(file: Path) -> ModelDeclaration:
    """Reads what a model file states, without running the file.

    Raises:
        SettingsError: it is missing or wrong; names the file and the line.
    """
    try:
        literals = Literals(file)
        own = _by_name(*_hyperparameters(literals))
        name = file.stem.replace("_", "-")
        return ModelDeclaration(name, own, _halvings(literals, own), _presets(literals, own))
    except LiteralError as error:
        raise SettingsError(str(error)) from None


def _hyperparameters(literals: Literals) -> Iterator[Hyperparameter]:
    example = 'HYPERPARAMETERS = {"width": {"default": 16, "range": (8, 64)}}'
    table = literals.needed("HYPERPARAMETERS", example)
    seen: set[str] = set()
    for key, node in literals.entries(table, "HYPERPARAMETERS"):
        name = str(literals.value(key, "the name of a hyperparameter"))
        if name in seen:
            raise literals.error(key, f"the hyperparameter {name} stands there twice; remove one")
        seen.add(name)
        if name in TRAINING:
            raise literals.error(
                key, f"{name} is a hyperparameter of training; choose another name"
            )
        facts = literals.value(node, f"the hyperparameter {name}")
        try:
            yield _hyperparameter(name, facts)
        except ValueError as error:
            raise literals.error(key, f"the hyperparameter {name} {error}; correct it") from None


def _hyperparameter(name: str, facts: Any) -> Hyperparameter:
    if not isinstance(facts, dict) or "default" not in facts:
        raise ValueError('needs a dictionary with a "default"')
    if unknown := sorted(map(str, facts.keys() - _FACTS)):
        raise ValueError(f"has {unknown[0]!r}, but there are only {', '.join(_FACTS)}")
    bounds, choices = facts.get("range"), facts.get("choices", ())
    if not isinstance(facts.get("value", False), bool):
        raise ValueError(f'has the "value" {facts["value"]!r}, which is neither True nor False')
    if bounds is not None and not _are_bounds(bounds):
        raise ValueError(f"has the range {bounds!r}, which is no pair of numbers")
    if not isinstance(choices, tuple | list):
        raise ValueError(f"has the choices {choices!r}, which are no tuple")
    return Hyperparameter(
        name, facts["default"], bounds and tuple(bounds), tuple(choices), bool(facts.get("value"))
    )


_FACTS = ("default", "range", "choices", "value")


def _are_bounds(bounds: Any) -> bool:
    return (
        isinstance(bounds, tuple | list)
        and len(bounds) == 2
        and all(type(bound) in (int, float) for bound in bounds)
    )


def _halvings(literals: Literals, own: Mapping[str, Hyperparameter]) -> int | str:
    node = literals.needed("HALVINGS", "HALVINGS = 4, if the model halves an image four times")
    found = literals.value(node, "HALVINGS")
    if type(found) is int and found >= 0:
        return found
    if isinstance(found, str) and found in own and own[found].is_whole:
        return found
    raise literals.error(
        node,
        f"HALVINGS is {found!r}; write a whole number, or the name of a hyperparameter of whole"
        " numbers",
    )


def _presets(literals: Literals, own: Mapping[str, Hyperparameter]) -> dict[str, dict[str, Value]]:
    table = literals.node("PRESETS")
    if table is None:
        return {}
    presets: dict[str, dict[str, Value]] = {}
    for key, node in literals.entries(table, "PRESETS"):
        preset = str(literals.value(key, "the name of a preset"))
        defaults = literals.value(node, f"the preset {preset}")
        if not isinstance(defaults, dict) or not defaults.keys() <= own.keys():
            raise literals.error(
                key, f"the preset {preset} must be a dictionary of hyperparameters of this file"
            )
        try:
            presets[preset] = {name: own[name].read(value) for name, value in defaults.items()}
        except ValueError as error:
            raise literals.error(
                key, f"a hyperparameter of the preset {preset} {error}; correct it"
            ) from None
    return presets
