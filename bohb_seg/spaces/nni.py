"""NNI's ``search_space.json``: ``{"lr": {"_type": "loguniform", "_value": [1e-4, 0.1]}, ...}``.

Every type is translated to what has the same distribution, or refused by name. Rounded types: with
a step of 1 between whole bounds they are integers; ``quniform`` with any other step is an ordinal
of all its values (NNI gives the two ends half the weight, we do not); the others are refused.
Normal distributions are unbounded in NNI; here they end 4 standard deviations from the mean, which
cuts off 0.006 %.

Source: https://nni.readthedocs.io/en/stable/hpo/search_space.html
"""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ConfigSpace import (
    CategoricalHyperparameter,
    ConfigurationSpace,
    NormalFloatHyperparameter,
    NormalIntegerHyperparameter,
    OrdinalHyperparameter,
    UniformFloatHyperparameter,
    UniformIntegerHyperparameter,
)
from ConfigSpace.hyperparameters import Hyperparameter

from bohb_seg.errors import SpaceError

MAX_STEPS = 1000
"""More values than this in an ordinal mean a mistaken step."""

_DEVIATIONS = 4
"""Where a normal distribution is cut, in standard deviations."""


def looks_like(form: Any) -> bool:
    """Whether a parsed JSON file has NNI's shape."""
    return isinstance(form, Mapping) and bool(form) and all(map(_is_entry, form.values()))


def _is_entry(item: Any) -> bool:
    return isinstance(item, Mapping) and {"_type", "_value"} <= set(item)


def read(path: Path, form: Mapping[str, Mapping[str, Any]]) -> ConfigurationSpace:
    """Translates a parsed NNI space.

    Raises:
        SpaceError: names the file and the hyperparameter that cannot be expressed.
    """
    space = ConfigurationSpace()
    for name, item in form.items():
        try:
            space.add(_translated(name, str(item["_type"]), item["_value"]))
        except (ValueError, TypeError) as error:
            reason = " ".join(str(error).split())
            raise SpaceError(f"search space {path}: {name} ({item['_type']}): {reason}") from None
    return space


def _translated(name: str, kind: str, value: Sequence[Any]) -> Hyperparameter[Any, Any]:
    if kind == "choice":
        return _choice(name, value)
    if kind not in _TYPES:
        known = ", ".join(["choice", *_TYPES])
        raise ValueError(f"this type cannot be expressed; those that can are: {known}")
    arguments, translate = _TYPES[kind]
    names = arguments.split()
    if not isinstance(value, Sequence) or len(value) != len(names):
        raise ValueError(f"expected [{', '.join(names)}], not {value!r}")
    numbers = [float(number) for number in value]
    if names[0].startswith("low") and not numbers[0] < numbers[1]:
        raise ValueError(f"the lower bound {value[0]} is not below the upper bound {value[1]}")
    return translate(name, *numbers)


def _choice(name: str, values: Sequence[Any]) -> CategoricalHyperparameter:
    if not isinstance(values, Sequence) or isinstance(values, str) or not values:
        raise ValueError(f"expected a list of values, not {values!r}")
    if any(isinstance(value, Mapping | list) for value in values):
        raise ValueError(
            "nested choices cannot be expressed; write a ConfigSpace file with conditions"
        )
    return CategoricalHyperparameter(name, list(values), default_value=values[0])


def _randint(name: str, low: float, high: float) -> UniformIntegerHyperparameter:
    """NNI's upper bound is exclusive."""
    return UniformIntegerHyperparameter(name, _whole(low), _whole(high) - 1)


def _uniform(name: str, low: float, high: float) -> UniformFloatHyperparameter:
    return UniformFloatHyperparameter(name, low, high)


def _loguniform(name: str, low: float, high: float) -> UniformFloatHyperparameter:
    return UniformFloatHyperparameter(name, low, high, log=True)


def _quniform(name: str, low: float, high: float, step: float) -> Hyperparameter[Any, Any]:
    if step == 1 and low.is_integer() and high.is_integer():
        return UniformIntegerHyperparameter(name, int(low), int(high))
    values = _multiples(low, high, step)
    return OrdinalHyperparameter(name, values, default_value=values[len(values) // 2])


def _qloguniform(name: str, low: float, high: float, step: float) -> UniformIntegerHyperparameter:
    _step_of_one(step)
    return UniformIntegerHyperparameter(name, _whole(low), _whole(high), log=True)


def _normal(name: str, mean: float, deviation: float) -> NormalFloatHyperparameter:
    reach = _DEVIATIONS * deviation
    return NormalFloatHyperparameter(name, mean, deviation, mean - reach, mean + reach)


def _lognormal(name: str, mean: float, deviation: float) -> NormalFloatHyperparameter:
    """NNI means the logarithm's mean and deviation; ConfigSpace wants both exponentiated."""
    reach = _DEVIATIONS * deviation
    low, high = math.exp(mean - reach), math.exp(mean + reach)
    return NormalFloatHyperparameter(name, math.exp(mean), math.exp(deviation), low, high, log=True)


def _qnormal(name: str, mean: float, deviation: float, step: float) -> NormalIntegerHyperparameter:
    _step_of_one(step)
    reach = math.ceil(_DEVIATIONS * deviation)
    low, high = math.floor(mean) - reach, math.ceil(mean) + reach
    return NormalIntegerHyperparameter(name, mean, deviation, low, high)


def _whole(number: float) -> int:
    if not number.is_integer():
        raise ValueError(f"{number:g} must be a whole number")
    return int(number)


def _step_of_one(step: float) -> None:
    if step != 1:
        raise ValueError(f"the step {step:g} cannot be expressed, only 1; use a choice of values")


def _multiples(low: float, high: float, step: float) -> list[float]:
    """All that round(uniform(low, high) / step) * step, cut to [low, high], can be."""
    if not (step > 0 and low < high and (high - low) / step <= MAX_STEPS):
        raise ValueError(f"[{low:g}, {high:g}] in steps of {step:g} is not a list of values")
    first, last = math.floor(low / step + 0.5), math.ceil(high / step - 0.5)
    steps = range(first, last + 1)
    values = {min(max(float(f"{index * step:.12g}"), low), high) for index in steps}
    return sorted(values)


_TYPES: Mapping[str, tuple[str, Callable[..., Hyperparameter[Any, Any]]]] = {
    "randint": ("lower upper", _randint),
    "uniform": ("low high", _uniform),
    "loguniform": ("low high", _loguniform),
    "quniform": ("low high q", _quniform),
    "qloguniform": ("low high q", _qloguniform),
    "normal": ("mu sigma", _normal),
    "lognormal": ("mu sigma", _lognormal),
    "qnormal": ("mu sigma q", _qnormal),
}
