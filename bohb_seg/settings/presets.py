"""Values that come along with others, and names that values had before."""

from collections.abc import Mapping
from typing import Any

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "default": {},
    "milestone3": {
        "objective": "milestone3",
        "split": "patch",
        "space": "milestone3-hyperband",
        "optimizer": "bohb-kde",
    },
}
"""Values that ``--preset`` changes; docs/origin.md tells about ``milestone3``."""

FORMER_NAMES: Mapping[str, Mapping[str, str]] = {
    "preset": {"seed": "milestone3"},
    "objective": {"seed": "milestone3"},
    "space": {"seed-bohb": "milestone3-bohb", "seed-hyperband": "milestone3-hyperband"},
}
"""Values of settings that were called otherwise up to version 0.1; still understood everywhere."""

SYNTHETIC: Mapping[str, Any] = {
    "patch_size": 64,
    "space": "quick",
}
"""Values that ``--data synthetic`` changes, so that all can be tried in minutes on two cores."""


def with_present_names(values: Mapping[str, Any]) -> dict[str, Any]:
    """The same settings, with values that were renamed since under their present names."""
    return {
        name: FORMER_NAMES.get(name, {}).get(value, value) if isinstance(value, str) else value
        for name, value in values.items()
    }
