"""Distributed BOHB for semantic segmentation of aerial imagery, on HpBandSter.

The names in ``__all__`` are the public API: what the commands, a script or a plug-in of yours need.
A name is imported when it is first used, so that ``import bohb_seg`` itself costs nothing.
To read the code, start at :mod:`bohb_seg.trials`.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bohb_seg.data.collection import Collection, Pair
    from bohb_seg.data.preparation import SegmentationData, prepare
    from bohb_seg.errors import BohbSegError
    from bohb_seg.report import write_report
    from bohb_seg.search.data_facts import Facts
    from bohb_seg.search.hyperband import Ladder, Rung
    from bohb_seg.search.optimizer import Optimizer
    from bohb_seg.settings import (
        DataSettings,
        SearchSettings,
        TrainingSettings,
        WorkerSettings,
        merge,
    )
    from bohb_seg.training.recipe import Recipe
    from bohb_seg.trials import Configuration, Suggestion

_HOMES = {
    "BohbSegError": "bohb_seg.errors",
    # settings: the flags of the commands, merged from all their sources and checked
    "DataSettings": "bohb_seg.settings",
    "SearchSettings": "bohb_seg.settings",
    "TrainingSettings": "bohb_seg.settings",
    "WorkerSettings": "bohb_seg.settings",
    "merge": "bohb_seg.settings",
    # data: from a folder to patches
    "SegmentationData": "bohb_seg.data.preparation",
    "prepare": "bohb_seg.data.preparation",
    # results
    "write_report": "bohb_seg.report",
    # words of the plug-ins
    "Collection": "bohb_seg.data.collection",
    "Configuration": "bohb_seg.trials",
    "Facts": "bohb_seg.search.data_facts",
    "Ladder": "bohb_seg.search.hyperband",
    "Optimizer": "bohb_seg.search.optimizer",
    "Pair": "bohb_seg.data.collection",
    "Recipe": "bohb_seg.training.recipe",
    "Rung": "bohb_seg.search.hyperband",
    "Suggestion": "bohb_seg.trials",
}
"""The module in which each public name is defined."""

__all__ = [
    "BohbSegError",
    "Collection",
    "Configuration",
    "DataSettings",
    "Facts",
    "Ladder",
    "Optimizer",
    "Pair",
    "Recipe",
    "Rung",
    "SearchSettings",
    "SegmentationData",
    "Suggestion",
    "TrainingSettings",
    "WorkerSettings",
    "merge",
    "prepare",
    "write_report",
]


def __getattr__(name: str) -> Any:
    """The public name, imported from its module.

    Raises:
        AttributeError: no such name.
    """
    if name == "__version__":
        return importlib.import_module("importlib.metadata").version("bohb-seg")
    if name not in _HOMES:
        raise AttributeError(f"module 'bohb_seg' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """The public names beside those that are there already."""
    return sorted({*globals(), *_HOMES, "__version__"})
