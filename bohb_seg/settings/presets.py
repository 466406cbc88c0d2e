"""Values that some settings bring along for others."""

from collections.abc import Mapping
from typing import Any

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "default": {},
    "milestone3": {
        "objective": "milestone3",
        "split": "patch",
        "space": "milestone3-hyperband",
        "optimizer": "bohb-kde",
        "final_epochs": 100,
    },
}
"""Values that ``--preset`` changes; docs/origin.md tells about ``milestone3``."""

SYNTHETIC: Mapping[str, Any] = {
    "patch_size": 64,
    "space": "quick",
}
"""Values that ``--data synthetic`` changes, so that all can be tried in minutes on two cores."""
