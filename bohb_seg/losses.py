"""What gradients descend: Dice, focal, cross-entropy and Tversky losses that skip ignored pixels.

All take ``labels`` (b, p, p), classes 0..C-1 and anything above for *ignore*, and
``probabilities`` (b, p, p, C), and return a scalar. Dice and Tversky sum over the whole batch
(``keras.losses.Dice`` would flatten the classes, too).
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from keras import ops

from bohb_seg.recipe import Recipe

Tensor = Any
Loss = Callable[[Tensor, Tensor], Tensor]

REPORTS_CLASS_WEIGHT = 0.1666
"""The reports weigh each class's Dice with it *and* average, so their loss never falls below
1 - 0.1666 = 0.8334. Kept, for comparison with them; also where there are not six classes."""
SMOOTH = 1e-5
FOCAL_ALPHA = 0.25
"""Of the reports and of Lin et al. 2017."""
FOCAL_GAMMA = 2.0
TVERSKY_FALSE_POSITIVES, TVERSKY_FALSE_NEGATIVES = 0.3, 0.7
"""Misses cost more than false alarms: Salehi et al. 2017, which helps thin and rare classes."""
EPSILON = 1e-7
"""Probabilities are kept this far from 0 and 1, as in the reports (Keras' own epsilon)."""


class _Pixels(NamedTuple):
    """truth: one-hot, zero where ignored (b, p, p, C); scores: alike; valid: (b, p, p)."""

    truth: Tensor
    scores: Tensor
    valid: Tensor


def make(recipe: Recipe) -> Loss:
    """The loss that a recipe trains with."""
    share = recipe.region_weight

    def loss(labels: Tensor, probabilities: Tensor) -> Tensor:
        pixels = _pixels(labels, probabilities)
        match recipe.loss:
            case "reports":
                return _reports(pixels)
            case "ce":
                return _cross_entropy(pixels)
            case "tversky":
                return 1 - _tversky(pixels)
            case "dice+ce":
                return share * (1 - _dice(pixels)) + (1 - share) * _cross_entropy(pixels)
            case "dice+focal":
                focal = _focal(pixels, recipe.focal_gamma)
                return share * (1 - _dice(pixels)) + (1 - share) * focal

    return loss


def _pixels(labels: Tensor, probabilities: Tensor) -> _Pixels:
    classes = probabilities.shape[-1]
    labels = ops.cast(labels, "int32")
    known = labels < classes
    valid = ops.cast(known, "float32")
    # An index beyond the last class is zeros in TensorFlow and JAX but an error elsewhere.
    truth = ops.one_hot(ops.where(known, labels, 0), classes, dtype="float32")
    weight = ops.expand_dims(valid, -1)
    return _Pixels(truth * weight, ops.cast(probabilities, "float32") * weight, valid)


def _reports(pixels: _Pixels) -> Tensor:
    """``1 - mean_c(0.1666 Dice_c) + focal``, the focal loss averaged over classes and pixels."""
    dice = ops.mean(_overlap(pixels, 0.5, 0.5) * REPORTS_CLASS_WEIGHT)
    classes = pixels.scores.shape[-1]
    return 1 - dice + FOCAL_ALPHA * _focal(pixels, FOCAL_GAMMA) / classes


def _dice(pixels: _Pixels) -> Tensor:
    return _mean_of_present(_overlap(pixels, 0.5, 0.5), pixels)


def _tversky(pixels: _Pixels) -> Tensor:
    overlap = _overlap(pixels, TVERSKY_FALSE_POSITIVES, TVERSKY_FALSE_NEGATIVES)
    return _mean_of_present(overlap, pixels)


def _overlap(pixels: _Pixels, false_positives: float, false_negatives: float) -> Tensor:
    """Tversky index of each class, (C,); with 0.5 and 0.5 it is Dice."""
    hits = ops.sum(pixels.truth * pixels.scores, axis=(0, 1, 2))
    truth = ops.sum(pixels.truth, axis=(0, 1, 2))
    scores = ops.sum(pixels.scores, axis=(0, 1, 2))
    errors = false_positives * (scores - hits) + false_negatives * (truth - hits)
    # Twice everything, so that SMOOTH is the reports' for Dice.
    return (2 * hits + SMOOTH) / (2 * (hits + errors) + SMOOTH)


def _mean_of_present(values: Tensor, pixels: _Pixels) -> Tensor:
    present = ops.cast(ops.sum(pixels.truth, axis=(0, 1, 2)) > 0, "float32")
    return ops.sum(values * present) / ops.maximum(ops.sum(present), 1)


def _cross_entropy(pixels: _Pixels) -> Tensor:
    return _focal(pixels, 0.0)


def _focal(pixels: _Pixels, gamma: float) -> Tensor:
    """``-(1 - p)^gamma log p`` of the true class, averaged over the pixels that count."""
    hit = ops.clip(ops.sum(pixels.truth * pixels.scores, axis=-1), EPSILON, 1 - EPSILON)
    losses = -ops.log(hit)
    if gamma:
        losses = losses * (1 - hit) ** gamma
    return ops.sum(losses * pixels.valid) / ops.maximum(ops.sum(pixels.valid), 1)
