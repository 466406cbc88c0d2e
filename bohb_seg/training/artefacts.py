"""Files of the final comparison: model, predictions and histograms.

The model is written in float32 whatever it trained with, and everything here is scored with that
very model, so that whoever loads the file finds these scores again. (Where values are scaled, the
file does that in float32 and data are prepared in float64: one pixel in many thousands may differ
by one level of 256.)
"""

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from bohb_seg.data.patch_sets import PatchSet
from bohb_seg.data.preparation import SegmentationData
from bohb_seg.files import whole_file, write_whole
from bohb_seg.retry import Retry, wait_until
from bohb_seg.training import checkpoints, group_scores, metrics
from bohb_seg.training.graph.scaling import taking_values_of_files
from bohb_seg.training.interruption import Interruption
from bohb_seg.training.prediction import probabilities
from bohb_seg.trials import CHECKPOINTS, MODEL_FILE, PREDICTIONS_FILE, VALIDATION_FILE

if TYPE_CHECKING:
    from bohb_seg.training.trainer import Trainer

RETRY_INTERVAL = 10.0
"""Seconds between two tries to write to a full disk."""
AWAY_AT_MOST = 60.0
"""Seconds for which a run directory may be away; its master ends after ten and says so."""

SHOWN_PIXELS = 2**25
"""Pixels of the validation patches that are written for pictures, at most; a few hundred megabytes
would help nobody. More patches are taken evenly."""

_Written = TypeVar("_Written")

_log = logging.getLogger(__name__)


def write(
    data: SegmentationData,
    directory: Path,
    folder: str,
    objective: Callable[[metrics.PixelSums], float],
    trainer: "Trainer",
) -> dict[str, dict[str, Any]]:
    """Scores all parts and writes ``model.keras`` and ``predictions.npz``.

    Args:
        data: The run's data set.
        directory: Directory of the run.
        folder: Folder for the files, relative to ``directory``.
        objective: Objective of the run.
        trainer: Its model is written, in float32.

    Returns:
        The scores of each part that has patches, plain Python.

    Raises:
        OSError: a file cannot be written, or the run is over: its results stay as they are.
    """
    _refuse_if_over(directory)
    model, target = trainer.exported(), directory / folder
    with whole_file(target / MODEL_FILE, within=directory) as unfinished:
        taking_values_of_files(model, data.scaling.low, data.scaling.high).save(unfinished)
    shown = _shown(data.validation)
    scores: dict[str, dict[str, Any]] = {}
    arrays: dict[str, NDArray[Any]] = {}
    for name in (name for name, part in data.parts.items() if len(part)):
        scored = _score(data, model, name, shown if name == "validation" else [])
        scores[name] = _summary(data, name, scored, objective)
        arrays |= {f"{name}_positive": scored.positive, f"{name}_negative": scored.negative}
        if name == "validation":
            arrays["validation"] = scored.classes
        _log.info("%s: %s mIoU %.3f", folder, name, scores[name]["miou"])
    _save(target / PREDICTIONS_FILE, arrays, directory)
    _save_validation(data, shown, directory)
    return scores


def scores(
    data: SegmentationData,
    parts: Sequence[str],
    objective: Callable[[metrics.PixelSums], float],
    trainer: "Trainer",
) -> dict[str, dict[str, Any]]:
    """The scores that :func:`write` returns, without files.

    Args:
        data: The data of a fold.
        parts: Names of the parts to score; they have patches.
        objective: Objective of the run.
        trainer: Its model is scored, in float32.
    """
    model = trainer.exported()
    return {name: _summary(data, name, _score(data, model, name, []), objective) for name in parts}


def _refuse_if_over(directory: Path) -> None:
    """A run that is over has no folder of checkpoints; a directory that is away may come back."""
    if directory.is_dir() and not (directory / CHECKPOINTS).is_dir():
        raise OSError(f"{directory} holds no run any more: it is over")


def when_there_is_room(
    write: Callable[[], _Written], folder: Path, interruption: Interruption
) -> _Written:
    """Writes something, and waits while the disk is full, or its folder away for a while.

    Args:
        write: Writes it, or raises an OSError.
        folder: Folder that it is written to, for the log.
        interruption: Ends the wait when it is requested.

    Raises:
        Interrupted: the wait was interrupted.
        OSError: it cannot be written for another reason.
    """
    retry: Retry | None = None
    while True:
        try:
            return write()
        except OSError as error:
            full = checkpoints.is_full(error)
            if not (full or checkpoints.is_away(error)):
                raise
            retry = retry or Retry(
                f"the disk of {folder} is full" if full else f"{folder} is away",
                "waiting for room" if full else "waiting until it is back",
                first=RETRY_INTERVAL,
                longest=RETRY_INTERVAL,
                level=logging.WARNING,
                wait=wait_until(interruption.check),
            )
            if not retry.pause(patience=math.inf if full else AWAY_AT_MOST):
                raise


class _Scored(NamedTuple):
    """Predictions for one part.

    Args:
        sums: Sums over its pixels.
        groups: Sums over those of each group; of the test part only.
        positive: Histograms of each class's scores over its own pixels, (C, SCORE_BINS).
        negative: The same over all other pixels.
        classes: The class predicted for each pixel of some patches, (k, p, p).
    """

    sums: metrics.PixelSums
    groups: Mapping[str, metrics.PixelSums]
    positive: metrics.Counts
    negative: metrics.Counts
    classes: NDArray[np.uint8]


def _shown(validation: PatchSet) -> NDArray[np.int64]:
    """Numbers of the validation patches that are written."""
    count, edge, _, _ = validation.shape
    most = min(count, max(1, SHOWN_PIXELS // edge**2))
    return np.linspace(0, count - 1, most).round().astype(np.int64)


def _score(
    data: SegmentationData, model: Any, name: str, shown: Sequence[int] | NDArray[np.int64]
) -> _Scored:
    """Scores a part; keeps the classes predicted for the patches that are shown."""
    part = data.parts[name]
    of_patches = group_scores.of_patches(data, part.sources) if name == "test" else ()
    batches, histograms, classes = [], [], []
    groups: dict[str, list[metrics.PixelSums]] = {}
    kept = np.zeros(len(part), np.bool_)
    kept[shown] = True
    for patches, (labels, scores) in probabilities(model, part):
        own = of_patches[patches] or [""] * len(labels)
        for group, rows in group_scores.runs(own):
            batches.append(metrics.PixelSums.of(scores[rows], labels[rows]))
            groups.setdefault(group, []).append(batches[-1])
        histograms.append(metrics.score_histograms(scores, labels))
        classes.append(scores[kept[patches]].argmax(axis=-1).astype(np.uint8))
    positive, negative = np.sum(histograms, axis=0)
    join = metrics.PixelSums.join
    by_group = {group: join(each) for group, each in groups.items()} if of_patches else {}
    return _Scored(join(batches), by_group, positive, negative, np.concatenate(classes))


def _summary(
    data: SegmentationData,
    name: str,
    scored: _Scored,
    objective: Callable[[metrics.PixelSums], float],
) -> dict[str, Any]:
    made = {
        "loss": objective(scored.sums),
        **metrics.summary(scored.sums, data.classes.names),
        **metrics.micro_at_half(scored.positive, scored.negative),
        "confusion": scored.sums.confusion.tolist(),
    }
    if name == "test":
        made["groups"] = group_scores.table(scored.groups, objective)
    return made


def _save(path: Path, arrays: Mapping[str, NDArray[Any]], within: Path) -> None:
    write_whole(path, lambda file: np.savez_compressed(file, **arrays), within=within)


def _save_validation(data: SegmentationData, shown: NDArray[np.int64], directory: Path) -> None:
    """Writes the validation patches that predictions are shown beside; all arms share them."""
    path = directory / VALIDATION_FILE
    if path.exists():
        return
    images, labels = data.validation.read(shown)
    arrays = {
        "images": images[..., list(data.shown_bands)],
        "labels": labels,
        "sources": np.array(data.validation.sources)[shown],
        "class_names": np.array(data.classes.names),
        "class_colours": np.array(data.classes.colours, np.uint8),
    }
    _save(path, arrays, directory)
