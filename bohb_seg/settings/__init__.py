"""All settings of all commands: their fields, and how they are merged from their sources."""

from bohb_seg.settings.fields import (
    DataSettings,
    SearchSettings,
    TrainingSettings,
    WorkerSettings,
)
from bohb_seg.settings.merging import merge
from bohb_seg.settings.names import FORMER_NAMES, flag_of, of_record, public
from bohb_seg.settings.presets import PRESETS, SYNTHETIC

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
    "of_record",
    "public",
]
