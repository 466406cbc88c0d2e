"""The two formulas a run can minimise, lower is better; training losses play no part in them."""

from typing import Literal

import numpy as np

from bohb_seg.training.metrics import Tally

SMOOTH = 1e-5
CLASS_WEIGHT = 0.1666
"""The reports', as in ``graph.losses`` (which needs Keras; this file does not)."""


def of(name: Literal["default", "milestone3"], tally: Tally) -> float:
    """What a run minimises; the same formula whatever a configuration trained with, and how."""
    return milestone3(tally) if name == "milestone3" else default(tally)


def default(tally: Tally) -> float:
    """``1 - mean Dice of the classes present + mean focal loss``, all pixels counted at once."""
    if not tally.finite:
        return float("nan")
    return 1 - tally.mean_dice + tally.mean_focal


def milestone3(tally: Tally, batch: int = 16) -> float:
    """The reports' validation loss, as Keras would print it at this validation batch size.

    ``1 - mean_c(0.1666 Dice_c) + focal`` of each batch with Dice over the batch and over all
    classes, averaged over batches, each weighing as much as it has patches.
    """
    starts = np.arange(0, len(tally.truth), batch)
    hits, truth, scores = (
        np.add.reduceat(sums, starts, axis=0) for sums in (tally.hits, tally.truth, tally.scores)
    )
    focal = np.add.reduceat(tally.focal, starts)
    dice = (2 * hits + SMOOTH) / (truth + scores + SMOOTH)
    classes = truth.shape[1]
    losses = 1 - (CLASS_WEIGHT * dice).mean(axis=1)
    losses += focal / np.maximum(truth.sum(axis=1) * classes, 1)
    patches = np.diff(np.append(starts, len(tally.truth)))
    return float(np.average(losses, weights=patches))
