"""A data set of coloured squares that is learnt in seconds, built without any file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bohb_seg.data.audit import Audit
from bohb_seg.data.classes import ClassTable
from bohb_seg.data.composition import Composition
from bohb_seg.data.patch_sets import HeldPatches
from bohb_seg.data.preparation import SegmentationData
from bohb_seg.settings import TrainingSettings
from bohb_seg.training.job import Job
from bohb_seg.trials import CHECKPOINTS

EDGE = 32
NAMES = ("ground", "square", "stripe")
COLOURS = np.array([(60, 120, 60), (200, 60, 60), (80, 80, 220)], np.uint8)


def data(audit: Audit, train: int = 10, validation: int = 5, test: int = 3) -> SegmentationData:
    """Three classes, noise on the images, a few ignored pixels."""
    random = np.random.default_rng(5)
    classes = ClassTable(NAMES, tuple(tuple(map(int, colour)) for colour in COLOURS))
    return SegmentationData(
        classes=classes,
        train=_part(random, train),
        validation=_part(random, validation),
        test=_part(random, test),
        fingerprint="f" * 16,
        split_hash="5" * 16,
        audit=audit,
        composition=Composition("group", classes, (True,) * len(NAMES), {}),
    )


def settings(**changes: object) -> TrainingSettings:
    """Small and in float32, so that results can be compared to float tolerance."""
    return TrainingSettings(**{"patch_size": EDGE, "precision": "float32", "seed": 3, **changes})


def job(
    trial: tuple[int, int, int], configuration: Mapping[str, Any], budget: float, run_dir: Path
) -> Job:
    """A job of a run that goes on: its directory is there, and its folder for checkpoints."""
    (run_dir / CHECKPOINTS).mkdir(parents=True, exist_ok=True)
    return Job(trial, configuration, budget, run_dir)


def _part(random: np.random.Generator, count: int) -> HeldPatches:
    labels = np.zeros((count, EDGE, EDGE), np.uint8)
    for label in labels:
        top, left, column = random.integers(0, EDGE - 10, 3)
        label[top : top + 10, left : left + 10] = 1
        label[:, column : column + 3] = 2
    noise = random.integers(-20, 20, (*labels.shape, 3))
    images = np.clip(COLOURS[labels].astype(int) + noise, 0, 255).astype(np.uint8)
    labels[:, :2, :2] = 255
    return HeldPatches(images, labels, tuple(f"{index}.png@0,0" for index in range(count)))
