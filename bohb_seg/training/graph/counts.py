"""What validation counts, in the graph: only a few sums of each patch leave the device.

The same figures as :meth:`bohb_seg.training.metrics.Tally.of` has from probabilities, of which six
classes would be 24 bytes per pixel to ship and to count on the host.
"""

from typing import Any

from keras import ops

from bohb_seg.training.graph.losses import (
    FOCAL_ALPHA,
    FOCAL_GAMMA,
    focal_losses,
    masked,
    over_pixels,
)

Tensor = Any


def counts(labels: Tensor, probabilities: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Sums over the pixels of each patch, as ``metrics.Tally.counted`` takes them.

    Args:
        labels: (n, p, p) classes 0..C-1; anything above is ignored.
        probabilities: (n, p, p, C).

    Returns:
        float32, and whole numbers are exact up to 2**24 pixels of a patch: the confusion matrix
        (n, C, C), rows are the truth; hits, truth and scores, (n, C); the focal loss (n,).
    """
    truth, scores = masked(labels, probabilities)
    own = truth * scores
    classes = truth.shape[-1]
    guess = ops.one_hot(ops.argmax(probabilities, axis=-1), classes, dtype="float32")
    pixels = (-1, truth.shape[1] * truth.shape[2], classes)
    confusion = ops.matmul(
        ops.swapaxes(ops.reshape(truth, pixels), 1, 2), ops.reshape(guess, pixels)
    )
    focal = FOCAL_ALPHA * over_pixels(focal_losses(own, truth, FOCAL_GAMMA))[:, 0]
    return confusion, over_pixels(own), over_pixels(truth), over_pixels(scores), focal
