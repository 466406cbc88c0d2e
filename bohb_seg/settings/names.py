"""Names of settings on the command line and in files, and names that values had before."""

from collections.abc import Mapping
from typing import Any

FORMER_NAMES: Mapping[str, Mapping[str, str]] = {
    "preset": {"seed": "milestone3"},
    "objective": {"seed": "milestone3"},
    "space": {"seed-bohb": "milestone3-bohb", "seed-hyperband": "milestone3-hyperband"},
}
"""Values of settings that were called otherwise up to version 0.1; still understood everywhere."""


def public(field: str) -> str:
    """Name of a setting in settings files and, in capitals after ``BOHB_``, in the environment."""
    return field.removesuffix("_")


def flag_of(field: str) -> str:
    """Flag of a setting on the command line."""
    return f"--{public(field).replace('_', '-')}"


def with_present_names(values: Mapping[str, Any]) -> dict[str, Any]:
    """The same settings, with values that were renamed since under their present names."""
    return {
        name: FORMER_NAMES.get(name, {}).get(value, value) if isinstance(value, str) else value
        for name, value in values.items()
    }


def of_record(values: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that a run recorded, in present names.

    Runs from before ``--final-delta`` have the scenes of then.
    """
    named = with_present_names(values)
    if named.get("data") == "synthetic" and "final_delta" not in named:
        named["data"] = "synthetic:1"
    return named
