"""The types of hyperparameters in NNI's ``search_space.json``, translated to ConfigSpace's.

Values that have an order keep it where ConfigSpace can express it, because a model then learns
faster:

- Steps of 1 between whole numbers become integers. The two ends of the range are then as probable
  as other values, in NNI half as probable; normal integers spread a little wider than NNI's.
- ``quniform`` with any other step becomes an ordinal of all its values, again with equal ends.
- The other rounded types become a choice of all their values with exactly NNI's probabilities and
  without an order: the integers of ConfigSpace's log-normal distribution leave out whole values.

Normal distributions are unbounded in NNI. Here they end 4 standard deviations from the mean, which
cuts off 0.006 %.

Sources: https://nni.readthedocs.io/en/stable/hpo/search_space.html, ``parameter_expressions.py``.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from statistics import NormalDist
from typing import Any

from ConfigSpace import (
    CategoricalHyperparameter,
    Constant,
    NormalFloatHyperparameter,
    NormalIntegerHyperparameter,
    OrdinalHyperparameter,
    UniformFloatHyperparameter,
    UniformIntegerHyperparameter,
)
from ConfigSpace.hyperparameters import Hyperparameter

from bohb_seg.spaces.formats.plain_values import (
    LARGEST,
    LARGEST_WHOLE,
    MOST_VALUES,
    is_number,
    is_plain,
    problem_of_number,
    repeated,
    shown,
)

MAX_STEPS = 1000
"""Most values of an ordinal; more mean a mistaken step."""
MAX_CHOICES = 100
"""Most values without an order; of more, a model learns nothing about one from the others."""

_DEVIATIONS = 4
"""Distance from the mean, in standard deviations, at which a normal distribution is cut."""

Distribution = Callable[[float], float]
"""A cumulative distribution function."""


def translated(name: str, kind: str, value: Any) -> Hyperparameter[Any, Any]:
    """Translates one hyperparameter.

    Args:
        name: Its name in the space.
        kind: NNI's ``_type``.
        value: NNI's ``_value``; options of nested choices are given by their names.

    Raises:
        ValueError: it cannot be expressed; the message is written to follow its name.
    """
    if kind == "choice":
        return _choice(name, value)
    if kind not in _TYPES:
        known = ", ".join(["choice", *_TYPES])
        raise ValueError(f"this type cannot be expressed; those that can are: {known}")
    arguments, translate = _TYPES[kind]
    names = arguments.split()
    if not isinstance(value, Sequence) or len(value) != len(names):
        raise ValueError(f"expected [{', '.join(names)}], not {shown(value)}")
    if not all(map(is_number, value)):
        raise ValueError(f"expected finite numbers, not {shown(value)}")
    numbers = [float(number) for number in value]
    if names[0].startswith("low") and not numbers[0] < numbers[1]:
        raise ValueError(
            f"the lower bound {value[0]} is not below the upper bound {value[1]}; for a single"
            " value write a choice"
        )
    if kind.endswith("loguniform") and numbers[0] <= 0:
        raise ValueError(f"the lower bound {value[0]} of a logarithmic scale must be above 0")
    if names[-1] == "q" and numbers[-1] <= 0:
        raise ValueError(f"the step {value[-1]} must be above 0")
    return translate(name, *numbers)


def _choice(name: str, values: Any) -> CategoricalHyperparameter:
    if not isinstance(values, list) or not values:
        raise ValueError(f"expected a list of values, not {shown(values)}")
    if len(values) > MOST_VALUES:
        raise ValueError(f"it has more than {MOST_VALUES} values; use a range")
    if any(isinstance(value, list) for value in values):
        raise ValueError("a list cannot be a value; give its values names")
    if wrong := [value for value in values if not is_plain(value)]:
        raise ValueError(
            f"{shown(wrong[0])} cannot be a value; use finite numbers, text on one line, true,"
            " false or null"
        )
    if twice := repeated(values):
        raise ValueError(f"the value {shown(twice[0])} stands there twice (true equals 1)")
    return CategoricalHyperparameter(name, values, default_value=values[0])


def _randint(name: str, low: float, high: float) -> Hyperparameter[Any, Any]:
    """Whole numbers; NNI's upper bound is exclusive, so that there may be only one."""
    first, last = _whole(low), _whole(high) - 1
    if first == last:
        return Constant(name, first)
    return UniformIntegerHyperparameter(name, first, last)


def _uniform(name: str, low: float, high: float) -> UniformFloatHyperparameter:
    return UniformFloatHyperparameter(name, _kept(low), _kept(high))


def _loguniform(name: str, low: float, high: float) -> UniformFloatHyperparameter:
    return UniformFloatHyperparameter(name, _kept(low), _kept(high), log=True)


def _quniform(name: str, low: float, high: float, step: float) -> Hyperparameter[Any, Any]:
    if step == 1 and low.is_integer() and high.is_integer():
        return UniformIntegerHyperparameter(name, _whole(low), _whole(high))
    values = [min(max(value, low), high) for value in _multiples(low, high, step, MAX_STEPS)]
    return OrdinalHyperparameter(name, values, default_value=values[len(values) // 2])


def _qloguniform(name: str, low: float, high: float, step: float) -> Hyperparameter[Any, Any]:
    if step == 1 and low.is_integer() and high.is_integer():
        return UniformIntegerHyperparameter(name, _whole(low), _whole(high), log=True)

    def distribution(value: float) -> float:
        if value <= low:
            return 0.0
        return min(1.0, math.log(value / low) / math.log(high / low))

    return _rounded(name, low, high, step, distribution)


def _normal(name: str, mean: float, deviation: float) -> NormalFloatHyperparameter:
    low, high = _ends(mean, deviation)
    return NormalFloatHyperparameter(name, mean, deviation, low, high)


def _qnormal(name: str, mean: float, deviation: float, step: float) -> Hyperparameter[Any, Any]:
    low, high = _ends(mean, deviation)
    if step == 1:
        return NormalIntegerHyperparameter(
            name, mean, deviation, math.floor(low), math.ceil(high), round(mean)
        )
    return _rounded(name, low, high, step, NormalDist(mean, deviation).cdf, clip=False)


def _lognormal(name: str, mean: float, deviation: float) -> NormalFloatHyperparameter:
    """A log-normal number: NNI gives mean and deviation of the logarithm, ConfigSpace their exp."""
    low, high = map(math.exp, _ends(mean, deviation))
    return NormalFloatHyperparameter(
        name, math.exp(mean), math.exp(deviation), _kept(low), _kept(high), log=True
    )


def _qlognormal(name: str, mean: float, deviation: float, step: float) -> CategoricalHyperparameter:
    low, high = map(math.exp, _ends(mean, deviation))
    logarithm = NormalDist(mean, deviation)

    def distribution(value: float) -> float:
        return logarithm.cdf(math.log(value)) if value > 0 else 0.0

    return _rounded(name, low, high, step, distribution, clip=False)


def _ends(mean: float, deviation: float) -> tuple[float, float]:
    if deviation <= 0:
        raise ValueError(f"the standard deviation {deviation:g} must be above 0")
    low, high = mean - _DEVIATIONS * deviation, mean + _DEVIATIONS * deviation
    if not -LARGEST < low < high < LARGEST:
        raise ValueError(f"the standard deviation {deviation:g} is too small or large for {mean:g}")
    return low, high


def _kept(bound: float) -> float:
    """The bound itself, if ConfigSpace keeps it."""
    if problem := problem_of_number(bound):
        raise ValueError(f"the bound {bound:g} {problem}")
    return bound


def _whole(number: float) -> int:
    if not number.is_integer():
        raise ValueError(f"{number:g} must be a whole number")
    if abs(number) > LARGEST_WHOLE:
        raise ValueError(f"{number:g} is too large to be kept exactly")
    return int(number)


def _rounded(
    name: str,
    low: float,
    high: float,
    step: float,
    distribution: Distribution,
    clip: bool = True,
) -> CategoricalHyperparameter:
    """A choice of the multiples of ``step`` near [low, high].

    A multiple is as probable as the numbers that are rounded to it.
    """
    values = _multiples(low, high, step, MAX_CHOICES)
    weights = [distribution(v + step / 2) - distribution(v - step / 2) for v in values]
    if clip:
        values = [min(max(value, low), high) for value in values]
    default = values[weights.index(max(weights))]
    return CategoricalHyperparameter(name, values, weights=weights, default_value=default)


def _multiples(low: float, high: float, step: float, most: int) -> list[float]:
    """All values of ``round(x / step) * step`` for ``x`` in [low, high]."""
    if (high - low) / step > most:
        raise ValueError(
            f"steps of {step:g} from {low:g} to {high:g} are more than {most} values; take a larger"
            " step, or the type without q"
        )
    first, last = math.floor(low / step + 0.5), math.ceil(high / step - 0.5)
    return [float(f"{index * step:.12g}") for index in range(first, last + 1)]


_TYPES: Mapping[str, tuple[str, Callable[..., Hyperparameter[Any, Any]]]] = {
    "randint": ("lower upper", _randint),
    "uniform": ("low high", _uniform),
    "loguniform": ("low high", _loguniform),
    "quniform": ("low high q", _quniform),
    "qloguniform": ("low high q", _qloguniform),
    "normal": ("mu sigma", _normal),
    "lognormal": ("mu sigma", _lognormal),
    "qnormal": ("mu sigma q", _qnormal),
    "qlognormal": ("mu sigma q", _qlognormal),
}
