"""What the final comparison leaves on disk beside its figures: model, predictions, histograms.

The model is written in float32 whatever it trained with, and everything here is scored with that
very model, so that whoever loads the file finds these figures again.
"""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bohb_seg.data.preparation import Part, SegmentationData
from bohb_seg.files import whole_file, write_whole
from bohb_seg.training import metrics
from bohb_seg.training.prediction import probabilities

_log = logging.getLogger(__name__)


def write(
    model: Any,
    data: SegmentationData,
    directory: Path,
    folder: str,
    objective: Callable[[metrics.Tally], float],
) -> dict[str, dict[str, Any]]:
    """Scores all parts and writes ``model.keras`` and ``predictions.npz``.

    Args:
        model: A Keras model in float32.
        data: The run's data set.
        directory: The run's.
        folder: Where the files go, relative to ``directory``.
        objective: The run's.

    Returns:
        The figures of each part that has patches, plain Python.
    """
    target = directory / folder
    target.mkdir(parents=True, exist_ok=True)
    with whole_file(target / "model.keras") as unfinished:
        model.save(unfinished)
    figures: dict[str, dict[str, Any]] = {}
    arrays: dict[str, NDArray[Any]] = {}
    for name, part in data.parts.items():
        if not len(part.images):
            continue
        tally, positive, negative, classes = _score(model, part)
        arrays |= {f"{name}_positive": positive, f"{name}_negative": negative}
        if name == "validation":
            arrays["validation"] = classes
        figures[name] = {
            "loss": objective(tally),
            **metrics.summary(tally, data.classes.names),
            **metrics.micro_at_half(positive, negative),
            "confusion": tally.confusion.tolist(),
        }
        _log.info("%s: %s mIoU %.3f", folder, name, figures[name]["miou"])
    write_whole(target / "predictions.npz", lambda file: np.savez_compressed(file, **arrays))
    _save_validation(data, directory / "comparison" / "validation.npz")
    return figures


def _score(
    model: Any, part: Part
) -> tuple[metrics.Tally, metrics.Counts, metrics.Counts, NDArray[np.uint8]]:
    tallies, histograms = [], []
    classes = np.empty(part.labels.shape, np.uint8)
    for patches, scores in probabilities(model, part.images):
        labels = part.labels[patches]
        tallies.append(metrics.Tally.of(scores, labels))
        histograms.append(metrics.score_histograms(scores, labels))
        classes[patches] = scores.argmax(axis=-1)
    positive, negative = np.sum(histograms, axis=0)
    return metrics.Tally.join(tallies), positive, negative, classes


def _save_validation(data: SegmentationData, path: Path) -> None:
    """The patches that predictions are shown beside; the same for both arms and all seeds."""
    if path.exists():
        return
    part = data.validation
    arrays = {
        "images": part.images,
        "labels": part.labels,
        "sources": np.array(part.sources),
        "class_names": np.array(data.classes.names),
        "class_colours": np.array(data.classes.colours, np.uint8),
    }
    write_whole(path, lambda file: np.savez_compressed(file, **arrays))
