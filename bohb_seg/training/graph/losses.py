"""Training losses: Dice, focal, cross-entropy and Tversky losses that skip ignored pixels.

They are one formula, ``L = offset - region * R + pixel * F``, over a few sums over pixels. R is the
mean over classes of the Tversky index ``TP / (TP + fp * FP + fn * FN)`` (Dice, if both weights are
one half), F the mean of ``-(1 - p)^gamma log p`` over the pixels that count (cross-entropy, if
gamma is 0; p: score of the true class). So the kind of loss, its weights and gamma are *values* of
one compiled step, and since sums of parts of a batch add up, the loss and the gradients of a batch
can be had from parts that fit into memory.
"""

from dataclasses import astuple, dataclass
from typing import ClassVar

import numpy as np
from keras import ops
from numpy.typing import NDArray

from bohb_seg.training.graph.types import Tensor
from bohb_seg.training.metrics import EPSILON, FOCAL_ALPHA, FOCAL_GAMMA
from bohb_seg.training.objectives import CLASS_WEIGHT, SMOOTH
from bohb_seg.training.recipe import Recipe

TVERSKY_FALSE_POSITIVES, TVERSKY_FALSE_NEGATIVES = 0.3, 0.7
"""Misses cost more than false alarms, which helps thin and rare classes: Salehi et al. 2017."""


@dataclass(frozen=True)
class Formula:
    """The numbers of one loss.

    Args:
        offset: The constant part of the loss.
        region: Weight of the mean Tversky index, which is subtracted.
        pixel: Weight of the mean focal loss.
        gamma: Exponent of the focal loss; 0 is cross-entropy.
        false_positives: Weight of false alarms in the Tversky index.
        false_negatives: Weight of misses.
        only_present: 1: the index is averaged over the classes that the labels have; 0: over all.
    """

    LENGTH: ClassVar[int] = 7

    offset: float
    region: float
    pixel: float
    gamma: float = 0.0
    false_positives: float = 0.5
    false_negatives: float = 0.5
    only_present: float = 1.0

    @classmethod
    def of(cls, recipe: Recipe, classes: int) -> "Formula":
        """The loss that a recipe trains with, for C classes."""
        share = recipe.region_weight
        match recipe.loss:
            case "reports":
                # The reports average their focal loss over classes, too.
                pixel = FOCAL_ALPHA / classes
                return cls(1, CLASS_WEIGHT, pixel, FOCAL_GAMMA, only_present=0)
            case "ce":
                return cls(0, 0, 1)
            case "dice+ce":
                return cls(share, share, 1 - share)
            case "dice+focal":
                return cls(share, share, 1 - share, recipe.focal_gamma)
            case "tversky":
                return cls(1, 1, 0, 0, TVERSKY_FALSE_POSITIVES, TVERSKY_FALSE_NEGATIVES)

    def vector(self) -> NDArray[np.float32]:
        """The numbers in order, (LENGTH,), as :func:`value` takes them."""
        return np.array(astuple(self), np.float32)


def gamma(formula: Tensor) -> Tensor:
    """The focal exponent in a formula's vector, a scalar, for :func:`sums`."""
    return formula[3]


def length(classes: int) -> int:
    """Length of the vector that :func:`sums` returns for C classes."""
    return 3 * classes + 2


def sums(labels: Tensor, probabilities: Tensor, gamma: Tensor) -> Tensor:
    """Sums that the loss is computed from; those of a batch's parts add up to the batch's.

    Args:
        labels: (b, p, p) classes 0..C-1; anything above is ignored.
        probabilities: (b, p, p, C).
        gamma: Scalar, at least 0.

    Returns:
        (3C + 2,) float32: per class the scores of its own pixels, its pixels and its scores; then
        the focal loss and the number of pixels that count.
    """
    truth, scores = masked(labels, probabilities)
    own = truth * scores
    pixels = over_pixels(truth)
    focal = over_pixels(focal_losses(own, truth, gamma))
    return ops.concatenate(
        [
            ops.sum(over_pixels(own), axis=0),
            ops.sum(pixels, axis=0),
            ops.sum(over_pixels(scores), axis=0),
            ops.sum(focal, axis=0),
            ops.reshape(ops.sum(pixels), (1,)),
        ]
    )


def value(sums: Tensor, formula: Tensor) -> Tensor:
    """The loss, a scalar.

    Args:
        sums: Result of :func:`sums` with the formula's gamma.
        formula: (LENGTH,) numbers, see :class:`Formula`.
    """
    offset, region, pixel, _, false_positives, false_negatives, only_present = ops.unstack(
        ops.convert_to_tensor(formula, "float32"), Formula.LENGTH
    )
    classes = (sums.shape[0] - 2) // 3
    hits, truth, scores = (sums[i * classes : (i + 1) * classes] for i in range(3))
    errors = false_positives * (scores - hits) + false_negatives * (truth - hits)
    # Everything twice, so that SMOOTH is that of the reports for Dice.
    index = (2 * hits + SMOOTH) / (2 * (hits + errors) + SMOOTH)
    counted = ops.maximum(ops.cast(truth > 0, "float32"), 1 - only_present)
    mean_index = ops.sum(index * counted) / ops.maximum(ops.sum(counted), 1)
    mean_focal = sums[-2] / ops.maximum(sums[-1], 1)
    return offset - region * mean_index + pixel * mean_focal


def masked(labels: Tensor, probabilities: Tensor) -> tuple[Tensor, Tensor]:
    """One-hot labels and scores, both (b, p, p, C) float32 and zero where a pixel is ignored."""
    classes = probabilities.shape[-1]
    labels = ops.cast(labels, "int32")
    known = labels < classes
    # An index beyond the last class is zeros in TensorFlow and JAX but an error elsewhere.
    truth = ops.one_hot(ops.where(known, labels, 0), classes, dtype="float32")
    weight = ops.cast(known, "float32")[..., None]
    return truth * weight, ops.cast(probabilities, "float32") * weight


def focal_losses(own: Tensor, truth: Tensor, gamma: Tensor) -> Tensor:
    """``-(1 - p)^gamma log p`` of each pixel, (b, p, p, 1); 0 where it is ignored.

    Args:
        own: (b, p, p, C) scores of the true class, zero elsewhere.
        truth: (b, p, p, C) one-hot, zero where ignored.
        gamma: Scalar, at least 0.
    """
    hit = ops.clip(ops.sum(own, axis=-1, keepdims=True), EPSILON, 1 - EPSILON)
    # A power, four times as fast; both logarithms stay finite, so the gradients do, too.
    losses = -ops.log(hit) * ops.exp(gamma * ops.log(1 - hit))
    return losses * ops.sum(truth, axis=-1, keepdims=True)


def over_pixels(values: Tensor) -> Tensor:
    """Sums (b, p, p, C) within each patch, (b, C).

    Rows first: on a CPU, one long float32 sum over a million pixels is off by up to 1e-2. XLA would
    join the two sums again, were there nothing between them; halving and doubling are exact.
    """
    return 2 * ops.sum(0.5 * ops.sum(values, axis=2), axis=1)
