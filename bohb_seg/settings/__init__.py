"""All settings of all commands: their fields, and how they are merged from their sources."""

from bohb_seg.settings.fields import (
    DataSettings,
    SearchSettings,
    TrainingSettings,
    WorkerSettings,
    flag_of,
    public,
)
from bohb_seg.settings.merging import merge
from bohb_seg.settings.presets import FORMER_NAMES, PRESETS, SYNTHETIC, with_present_names

__all__ = [
    "FORMER_NAMES",
    "PRESETS",
    "SYNTHETIC",
    "DataSettings",
    "SearchSettings",
    "TrainingSettings",
    "WorkerSettings",
    "flag_of",
    "merge",
    "public",
    "with_present_names",
]
