"""Validation patches worth showing: those that are not trivial, the best and the worst."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bohb_seg.errors import printable
from bohb_seg.report.analysis import arrays
from bohb_seg.report.analysis.comparison import class_names
from bohb_seg.report.analysis.records import RunRecord
from bohb_seg.trials import IGNORE, PREDICTIONS_FILE, VALIDATION_FILE

Pixels = npt.NDArray[np.uint8]

TRIVIAL_THRESHOLD = 0.5
"""Sum of squares of the class frequencies above which a patch is trivial.

The sum is the probability that two random pixels are of the same class. Above one half they agree
more often than not, and one class covers most of the patch. In the aerial images that this project
started from the median is .53: this threshold leaves 586 of 1305 patches, while .9 would leave 993,
many of them of nearly one colour."""
SHOWN = 10
"""Patches on each sheet."""


@dataclass(frozen=True)
class Patches:
    """The patches of the validation part, with what the comparison predicted for them.

    Args:
        images: uint8 (n, p, p, 3) RGB.
        labels: uint8 (n, p, p), 255 = ignore.
        sources: Image and place from which each patch was cut.
        predictions: Class maps uint8 (n, p, p) by name of the arm.
    """

    images: Pixels
    labels: Pixels
    sources: tuple[str, ...]
    class_names: tuple[str, ...]
    class_colours: tuple[tuple[int, int, int], ...]
    predictions: dict[str, Pixels]


@dataclass(frozen=True)
class RatedPatch:
    """A patch that is not trivial.

    Args:
        index: Its place in ``Patches``.
        sum_of_squares: Sum of squares of its class frequencies, 1/classes..1.
        accuracies: Share of its counted pixels that are right, 0..1, by name of the arm.
    """

    index: int
    source: str
    sum_of_squares: float
    accuracies: dict[str, float]


def load(run: RunRecord, artefacts: Mapping[str, Path]) -> Patches | None:
    """Reads ``comparison/validation.npz`` and the class maps of the arms.

    Args:
        run: The run; its data and settings tell how large the arrays must be.
        artefacts: Folder with ``predictions.npz`` by name of the arm.

    Returns:
        None if a file is missing, or if the run has no images.

    Raises:
        DamagedArrayError: a file is damaged, or holds arrays of another form.
    """
    shared, data = run.directory / VALIDATION_FILE, run.started.data
    files = {name: folder / PREDICTIONS_FILE for name, folder in artefacts.items()}
    there = bool(files) and all(file.is_file() for file in (shared, *files.values()))
    if not there or not data.get("classes"):
        return None
    count, edge = data["patches"]["validation"], run.started.settings["patch_size"]
    maps = arrays.Form("uint8", (count, edge, edge))
    sources = arrays.read(shared, "sources", arrays.Form("str", (count,)))
    return Patches(
        images=arrays.read(shared, "images", arrays.Form("uint8", (*maps.shape, 3))),
        labels=arrays.read(shared, "labels", maps),
        sources=tuple(printable(str(source)) for source in sources),
        class_names=tuple(class_names(run)),
        class_colours=tuple(_rgb(each["colour"]) for each in data["classes"]),
        predictions={name: arrays.read(file, "validation", maps) for name, file in files.items()},
    )


def sum_of_squares(labels: Pixels, classes: int) -> float | None:
    """Sum of squares of the class frequencies of a patch, 1/classes..1; None if no pixel counts.

    Args:
        labels: uint8 (p, p), 255 = ignore.
        classes: Number of classes.
    """
    counts = np.bincount(labels[labels != IGNORE].ravel(), minlength=classes)
    total = counts.sum()
    return float(np.sum((counts / total) ** 2)) if total else None


def accuracy(labels: Pixels, prediction: Pixels) -> float:
    """Share of the counted pixels that are right, 0..1; at least one pixel must count."""
    counted = labels != IGNORE
    return float(np.mean(labels[counted] == prediction[counted]))


def rated(patches: Patches, threshold: float = TRIVIAL_THRESHOLD) -> tuple[RatedPatch, ...]:
    """All patches that are not trivial, in increasing accuracy of the incumbent.

    If only the default was retrained, in increasing accuracy of the default.
    """
    judge = list(patches.predictions)[-1]
    found = []
    for index, labels in enumerate(patches.labels):
        squares = sum_of_squares(labels, len(patches.class_names))
        if squares is not None and squares <= threshold:
            found.append(_rated(patches, index, squares))
    return tuple(sorted(found, key=lambda each: (each.accuracies[judge], each.index)))


def best(found: Sequence[RatedPatch]) -> tuple[RatedPatch, ...]:
    """The best-predicted patches, in increasing accuracy."""
    return tuple(found[-SHOWN:])


def worst(found: Sequence[RatedPatch]) -> tuple[RatedPatch, ...]:
    """The worst-predicted patches, in increasing accuracy."""
    return tuple(found[:SHOWN])


def _rated(patches: Patches, index: int, squares: float) -> RatedPatch:
    labels = patches.labels[index]
    scores = {name: accuracy(labels, maps[index]) for name, maps in patches.predictions.items()}
    return RatedPatch(index, patches.sources[index], squares, scores)


def _rgb(colour: Any) -> tuple[int, int, int]:
    red, green, blue = (int(value) for value in colour)
    return red, green, blue
