"""What a search space may know of the data before the first training."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True)
class Facts:
    """Of one data set, cut and split.

    Args:
        patch_size: Edge of a patch in pixels.
        patches: How many there are to train on, at least one.
        classes: How many classes are told apart.
    """

    patch_size: int
    patches: int
    classes: int

    @classmethod
    def of(cls, data: Mapping[str, Any], patch_size: int) -> Self:
        """From what ``bohb-data check --json`` prints."""
        return cls(patch_size, data["patches"]["train"], len(data["classes"]))


TYPICAL = Facts(patch_size=256, patches=1000, classes=6)
"""Where a run has no data, or its space is wanted before the data was looked at."""
