"""Scores of the test part by group: how much they differ says how much hangs on the images.

A group is what the split keeps together, or an image. The report resamples them; see
docs/explanation/statistics.md.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np

from bohb_seg.data.preparation import SegmentationData
from bohb_seg.training.metrics import PixelSums, plain
from bohb_seg.trials import MOST_GROUPS

MOST_NUMBERS = 2**15
"""Entries of all groups' confusion matrices together: at most as much goes over the wire and into
the journal with each result. From 23 classes on there are fewer groups than ``MOST_GROUPS``."""


def of_patches(data: SegmentationData, sources: Sequence[str]) -> tuple[str, ...]:
    """The group of each patch; where there are too many, neighbours by name are put together.

    Args:
        data: Knows the groups of images.
        sources: Origin of each patch, as :class:`~bohb_seg.data.patch_sets.PatchSet` has it.
    """
    images = [source.rpartition("@")[0] for source in sources]
    names = [data.units.get(image, image) for image in images]
    classes = len(data.classes.names)
    together = _together(sorted(set(names)), max(1, min(MOST_GROUPS, MOST_NUMBERS // classes**2)))
    return tuple(together[name] for name in names)


def _together(names: Sequence[str], most: int) -> dict[str, str]:
    """The name under which each is counted, of at most so many."""
    if len(names) <= most:
        return {name: name for name in names}
    runs = [names[run[0] : run[-1] + 1] for run in np.array_split(np.arange(len(names)), most)]
    return {
        name: run[0] if len(run) == 1 else f"{run[0]} .. {run[-1]}" for run in runs for name in run
    }


def runs(groups: Sequence[str]) -> Iterator[tuple[str, slice]]:
    """Neighbours of one group: its name, and their places."""
    start = 0
    for name, members in groupby(groups):
        stop = start + len(list(members))
        yield name, slice(start, stop)
        start = stop


def table(
    sums: Mapping[str, PixelSums], objective: Callable[[PixelSums], float]
) -> dict[str, dict[str, Any]]:
    """Confusion matrix and loss of each group that has labelled pixels, plain Python.

    Args:
        sums: Sums over each group's patches.
        objective: Objective of the run.
    """
    return {
        name: {"confusion": each.confusion.tolist(), "loss": plain(objective(each))}
        for name, each in sums.items()
        if each.confusion.any()
    }
