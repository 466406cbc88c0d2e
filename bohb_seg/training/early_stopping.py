"""Reasons to end a training before its last epoch, from its epochs' records alone, without Keras.

*Collapsed.* A network whose softmax is saturated at one class, or whose activations are dead, gives
the same answer whatever the image; no gradient comes through either, so it stays what it is. That
is the loss of 1.30 in the Milestone 3 reports (docs/origin.md). Two things look like it and are not
(47 small trainings, 64 and 32 px, Adam and SGD, learning rates 3e-3..0.3, 8 or 10 epochs): of 26
networks that *predicted one class* for two epochs, 11 learnt after all, one of them after seven;
their scores still depended on the image. Of 16 that were *constant* for two epochs 2 learnt, both
with batch normalisation, whose running statistics lag behind; their training loss fell by 5 % and
more in each epoch. Of 14 that were constant while the training loss stood still, none learnt.

*Patience.* Only in the final comparison, and only where ``--patience`` asks for it.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from bohb_seg.training.checkpoints import EpochRecord
from bohb_seg.training.metrics import PixelSums

Reason = Literal["diverged", "collapsed", "patience"]

COLLAPSED_EPOCHS = 2
"""Epochs in a row after which a constant network is given up."""
SAME_SCORE = 1e-5
"""Difference between two patches' mean scores below which they count as equal."""
SAME_LOSS = 1e-2
"""Relative change of the training loss below which nothing was learnt. The loss of a constant
network varies by a few thousandths with the patches that share a batch."""


def is_constant(sums: PixelSums) -> bool:
    """Whether the network gave all patches the same scores, the best of them to the same class."""
    pixels = sums.scores.sum(axis=1, keepdims=True)
    shares = sums.scores[pixels[:, 0] > 0] / pixels[pixels[:, 0] > 0]
    classes = np.count_nonzero(sums.confusion.sum(axis=0))
    return bool(classes == 1 and len(shares) > 1 and np.ptp(shares, axis=0).max() < SAME_SCORE)


def has_collapsed(history: Sequence[EpochRecord]) -> bool:
    """Whether the network was constant in all of the last epochs, and learnt nothing in them."""
    last = history[-COLLAPSED_EPOCHS:]
    losses = [record.train_loss for record in last]
    return (
        len(last) == COLLAPSED_EPOCHS
        and all(record.constant for record in last)
        and max(losses) - min(losses) <= SAME_LOSS * abs(max(losses))
    )


def improves(history: Sequence[EpochRecord], best_epoch: int | None) -> bool:
    """Whether the last epoch has a lower validation loss than the best one before."""
    if best_epoch is None:
        return True
    return history[-1].validation_loss < history[best_epoch - 1].validation_loss


def reason(
    history: Sequence[EpochRecord], best_epoch: int | None = None, patience: int | None = None
) -> Reason | None:
    """The reason why no further epoch is worth training; None if one is.

    Args:
        history: One record per epoch.
        best_epoch: The epoch with the lowest validation loss, counted from 1.
        patience: Epochs without a lower validation loss after which training ends.
    """
    if has_collapsed(history):
        return "collapsed"
    if patience and best_epoch and len(history) - best_epoch >= patience:
        return "patience"
    return None
