"""Facts about the data that a search space may follow from, known before the first training."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True)
class Facts:
    """Facts about one data set, cut into patches and split.

    Args:
        patch_size: Edge of a patch in pixels.
        patches: Number of training patches, at least one.
        classes: Number of classes, without those that are ignored.
    """

    patch_size: int
    patches: int
    classes: int

    @classmethod
    def of(cls, data: Mapping[str, Any], patch_size: int) -> Self:
        """Reads the facts from a data check.

        Args:
            data: The values that ``bohb-data check --json`` prints.
            patch_size: Edge of a patch in pixels.
        """
        return cls(patch_size, data["patches"]["train"], len(data["classes"]))


TYPICAL = Facts(patch_size=256, patches=1000, classes=6)
"""Facts for runs without data, and for spaces that are loaded before the data are read."""
