"""Which validation patches are shown: non-trivial ones, best and worst. Reads the artefacts."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bohb_seg.trials import IGNORE

Pixels = npt.NDArray[np.uint8]

TRIVIAL_THRESHOLD = 0.5
"""Above this sum of squares of class frequencies a patch is trivial.

The sum is the chance that two random pixels are of one class: above one half they agree more often
than not, and one class covers most of the patch. On the aerial images this project started from the
median is .53; this leaves 586 of 1305 patches, where .9 would still leave 993 with many that are
nearly one colour (FACTS, data)."""
SHOWN = 10
"""Patches on each sheet."""


@dataclass(frozen=True)
class Patches:
    """The validation part as the comparison left it.

    Args:
        images: uint8 (n, p, p, 3) RGB.
        labels: uint8 (n, p, p), 255 = ignore.
        sources: Where each patch was cut from.
        predictions: Class maps uint8 (n, p, p) by name of the arm.
    """

    images: Pixels
    labels: Pixels
    sources: tuple[str, ...]
    class_names: tuple[str, ...]
    class_colours: tuple[tuple[int, int, int], ...]
    predictions: dict[str, Pixels]


@dataclass(frozen=True)
class Choice:
    """A patch to show: its index, sum of squares and the accuracy of each arm, 0..1."""

    index: int
    source: str
    sum_of_squares: float
    accuracies: dict[str, float]


def load(directory: Path, artefacts: dict[str, Path]) -> Patches | None:
    """Reads ``comparison/validation.npz`` and the class maps in the artefact folders of the arms.

    Returns:
        None if anything needed is missing.
    """
    shared = directory / "comparison" / "validation.npz"
    files = {name: folder / "predictions.npz" for name, folder in artefacts.items()}
    if not files or not all(file.is_file() for file in (shared, *files.values())):
        return None
    with np.load(shared) as data:
        return Patches(
            images=data["images"],
            labels=data["labels"],
            sources=tuple(map(str, data["sources"])),
            class_names=tuple(map(str, data["class_names"])),
            class_colours=tuple(_rgb(colour) for colour in data["class_colours"]),
            predictions={name: _array(file, "validation") for name, file in files.items()},
        )


def histograms(folder: Path, part: str) -> tuple[Any, Any] | None:
    """Score histograms (positive, negative), int64 (classes, bins), of a part; None if missing."""
    file = folder / "predictions.npz"
    if not file.is_file():
        return None
    with np.load(file) as data:
        if f"{part}_positive" not in data:
            return None
        return data[f"{part}_positive"], data[f"{part}_negative"]


def sum_of_squares(labels: Pixels, classes: int) -> float | None:
    """Sum of squares of the class frequencies of a patch, 1/classes..1; None if nothing counts.

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


def choices(patches: Patches, threshold: float = TRIVIAL_THRESHOLD) -> tuple[Choice, ...]:
    """All non-trivial patches in increasing accuracy of the tuned arm (or of the only one)."""
    judge = list(patches.predictions)[-1]
    found = []
    for index, labels in enumerate(patches.labels):
        squares = sum_of_squares(labels, len(patches.class_names))
        if squares is not None and squares <= threshold:
            found.append(_choice(patches, index, squares))
    return tuple(sorted(found, key=lambda each: (each.accuracies[judge], each.index)))


def best(found: Sequence[Choice]) -> tuple[Choice, ...]:
    """The ten best predicted, in increasing accuracy."""
    return tuple(found[-SHOWN:])


def worst(found: Sequence[Choice]) -> tuple[Choice, ...]:
    """The ten worst predicted, in increasing accuracy."""
    return tuple(found[:SHOWN])


def _choice(patches: Patches, index: int, squares: float) -> Choice:
    labels = patches.labels[index]
    scores = {name: accuracy(labels, maps[index]) for name, maps in patches.predictions.items()}
    return Choice(index, patches.sources[index], squares, scores)


def _array(file: Path, name: str) -> Pixels:
    with np.load(file) as data:
        return np.asarray(data[name], dtype=np.uint8)


def _rgb(colour: Any) -> tuple[int, int, int]:
    red, green, blue = (int(value) for value in colour)
    return red, green, blue
