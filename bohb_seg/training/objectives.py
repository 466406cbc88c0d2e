"""The two objectives that a run can minimise, lower is better; training losses play no part."""

from typing import Literal

import numpy as np

from bohb_seg.training.metrics import PixelSums

SMOOTH = 1e-5
"""Added to numerator and denominator of Dice in the Milestone 3 reports (docs/origin.md)."""
CLASS_WEIGHT = 0.1666
"""Weight of each class's Dice in the Milestone 3 reports, which average as well, so that their loss
never falls below 1 - 0.1666 = 0.8334. Kept for comparison with them, for any number of classes."""


def of(name: Literal["default", "milestone3"], sums: PixelSums) -> float:
    """The objective of a run, NaN if there is none; independent of how a configuration trained."""
    return milestone3(sums) if name == "milestone3" else default(sums)


def default(sums: PixelSums) -> float:
    """``1 - mean Dice of the classes present + mean focal loss``, all pixels counted at once."""
    if not sums.finite:
        return float("nan")
    return 1 - sums.mean_dice + sums.mean_focal


def milestone3(sums: PixelSums, batch: int = 16) -> float:
    """Validation loss of the Milestone 3 reports, as Keras would print it.

    ``1 - mean_c(0.1666 Dice_c) + focal`` of each batch with Dice over the batch and over all
    classes, averaged over batches, each weighing as much as it has patches.

    Args:
        sums: Sums of the validation part.
        batch: Patches of a validation batch.
    """
    starts = np.arange(0, len(sums.truth), batch)
    hits, truth, scores = (
        np.add.reduceat(each, starts, axis=0) for each in (sums.hits, sums.truth, sums.scores)
    )
    focal = np.add.reduceat(sums.focal, starts)
    dice = (2 * hits + SMOOTH) / (truth + scores + SMOOTH)
    classes = truth.shape[1]
    losses = 1 - (CLASS_WEIGHT * dice).mean(axis=1)
    losses += focal / np.maximum(truth.sum(axis=1) * classes, 1)
    patches = np.diff(np.append(starts, len(sums.truth)))
    return float(np.average(losses, weights=patches))
