"""Values and names that a hyperparameter may have, and how a message shows any other."""

import math
from collections import Counter
from collections.abc import Iterable
from typing import Any

MOST_VALUES = 10_000
"""Values of one hyperparameter that are listed; ConfigSpace compares each with all others."""
LARGEST_WHOLE = 2**53
"""Largest whole number that ConfigSpace's vectors of floats keep exactly."""
LARGEST = 1e200
"""Largest number; ConfigSpace multiplies by up to 1e13 before it rounds."""
PLACES = 13
"""Decimal places to which ConfigSpace rounds bounds and defaults."""
ROUNDING = 1e-4
"""Largest relative difference between a number of a file and the one that ConfigSpace keeps."""
LONGEST_NAME = 200
"""Characters of a name, which stands in tables and file names."""
_LONGEST_SHOWN, _LONGEST_LINE = 60, 300


def is_number(value: Any) -> bool:
    """Whether it is a finite number; true and false are none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def is_plain(value: Any) -> bool:
    """Whether a journal can keep it: a finite number, a line of text, true, false or None."""
    if isinstance(value, str):
        return value.isprintable()
    return value is None or isinstance(value, bool) or is_number(value)


def problem_of_number(value: float) -> str:
    """The reason why ConfigSpace would not keep a number, to follow it; "" if it would."""
    if abs(value) > LARGEST:
        return f"is too large; stay below {LARGEST:g}"
    if not math.isclose(value, kept := round(value, PLACES), rel_tol=ROUNDING):
        return f"would become {kept:g}: ConfigSpace keeps {PLACES} decimals"
    return ""


def repeated(values: Iterable[Any]) -> list[Any]:
    """Plain values that occur more than once; true equals 1."""
    return [value for value, count in Counter(values).items() if count > 1]


def problem_of_name(name: Any) -> str:
    """The reason why a hyperparameter cannot have this name, as a sentence; "" if it can."""
    if not isinstance(name, str):
        return f"the name {shown(name)} is no text"
    if not (name.isprintable() and name.strip() and len(name) <= LONGEST_NAME):
        return (
            f"the name {shown(name)} cannot be printed on one line; use 1 to {LONGEST_NAME}"
            " letters, digits and signs"
        )
    return ""


def one_line(text: object) -> str:
    """The text of an error on one line, without control characters, cut where it is long."""
    line = " ".join(str(text).split())
    printable = "".join(sign if sign.isprintable() else "?" for sign in line)
    return printable if len(printable) <= _LONGEST_LINE else f"{printable[:_LONGEST_LINE]}..."


def reason(error: Exception) -> str:
    """The words of an error and of the one behind it, on one line."""
    words = str(error) or type(error).__name__
    return one_line(f"{words}: {error.__cause__}" if error.__cause__ else words)


def shown(value: Any) -> str:
    """A foreign value in a message: on one line, without control characters, and short."""
    try:
        text = repr(value)
    except ValueError:  # Python does not write out whole numbers of more than 4300 digits
        text = "(a huge number)"
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 3]}..."
