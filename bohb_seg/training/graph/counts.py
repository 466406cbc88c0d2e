"""Counts of validation, made in the graph: only a few sums of each patch leave the device.

They are the figures that :meth:`bohb_seg.training.metrics.PixelSums.of` has from probabilities. The
probabilities themselves would be 24 bytes per pixel (six classes) to ship and to count on the host.
"""

from keras import ops

from bohb_seg.training.graph.losses import focal_losses, masked, over_pixels
from bohb_seg.training.graph.types import Tensor
from bohb_seg.training.metrics import FOCAL_ALPHA, FOCAL_GAMMA


def counts(labels: Tensor, probabilities: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Sums over the pixels of each patch, as ``metrics.PixelSums.counted`` takes them.

    Args:
        labels: (n, p, p) classes 0..C-1; anything above is ignored.
        probabilities: (n, p, p, C).

    Returns:
        The confusion matrix (n, C, C), rows are the truth; hits, truth and scores, (n, C); the
        focal loss (n,). All are float32; numbers of pixels are exact up to 2**24 in a patch.
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
