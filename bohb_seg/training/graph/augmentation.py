"""Random views of patches, made in the compiled step: turns, flips, zoom and colour changes.

All randomness is drawn on the host (:func:`draw`), a row of numbers per patch; the graph
(:func:`apply`) only computes. Ranges at strength 1 are about those of nnU-Net (Isensee et al. 2021,
supplementary note 4), from which a draw is uniform every time; at strength 0 only the eight
turns and flips remain, and the view is a permutation of the patch's pixels.

Zooming out shows the surroundings as mirror images, in the image and in the mask alike: aerial
images have no up, so they look real, and no pixel is made up or ignored that was not before.
Masks take the nearest pixel of the point that images interpolate around.
"""

import numpy as np
from keras import ops
from numpy.typing import NDArray

from bohb_seg.training.graph.types import Tensor

LARGEST_ZOOM = 1.4
"""Zoom from 1/1.4 to 1.4, as likely in as out; nnU-Net 0.7..1.4."""
LARGEST_GAIN = 0.25
"""Brightness: each channel is multiplied by a factor of 1 ± this, which also changes the colour of
the daylight; nnU-Net 0.75..1.25."""
LARGEST_CONTRAST = 0.25
"""Contrast: distances from the mean are multiplied by 1 ± this; nnU-Net 0.75..1.25."""
LARGEST_GAMMA = 1.5
"""Exponents from 1/1.5 to 1.5; nnU-Net 0.7..1.5."""


def columns(bands: int) -> int:
    """How many numbers a view of so many bands has.

    They are: transposed, rows reversed, columns reversed (0 or 1 each); zoom; vertical and
    horizontal place of the window (-1..1 of the room there is); gain of each band; contrast; gamma.
    """
    return 8 + bands


def draw(
    count: int, strength: float, random: np.random.Generator, bands: int = 3
) -> NDArray[np.float32]:
    """Draws views.

    Args:
        count: n patches.
        strength: Strength of everything but turns and flips, 0..1.
        random: Source of all randomness.
        bands: Bands of an image.

    Returns:
        (n, :func:`columns`).
    """
    turns = random.integers(2, size=(count, 3))
    window = random.uniform(-1, 1, (count, 2))
    zoom, contrast, gamma, *gains = strength * random.uniform(-1, 1, (3 + bands, count))
    numbers = [
        LARGEST_ZOOM**zoom,
        *window.T,
        *(1 + LARGEST_GAIN * gain for gain in gains),
        1 + LARGEST_CONTRAST * contrast,
        LARGEST_GAMMA**gamma,
    ]
    return np.column_stack([turns, *numbers]).astype(np.float32)


def apply(images: Tensor, labels: Tensor, views: Tensor) -> tuple[Tensor, Tensor]:
    """Makes the views.

    Args:
        images: (b, p, p, bands) of 0..255, uint8 or float32.
        labels: (b, p, p) uint8, ignored pixels among them.
        views: (b, :func:`columns`), as :func:`draw` returns them.

    Returns:
        Images float32 0..255 and labels uint8, of the same shapes.
    """
    edge = images.shape[1]
    rows = _sources(views[:, 1], views[:, 3], views[:, 4], edge)
    across = _sources(views[:, 2], views[:, 3], views[:, 5], edge)
    images, labels = _transposed(images, views[:, 0]), _transposed(labels[..., None], views[:, 0])
    images = _resampled(images, _linear(rows, edge), _linear(across, edge))
    labels = _resampled(labels, _nearest(rows, edge), _nearest(across, edge))
    return _coloured(images, views[:, 6:]), ops.cast(labels[..., 0], "uint8")


def _transposed(values: Tensor, chosen: Tensor) -> Tensor:
    """Swaps rows and columns of (b, p, p, k) where ``chosen`` (b,) is 0, not 1.

    Not where it is 1, because :func:`_resampled` swaps them once more. Sums are exact here, and a
    broadcast ``where`` is several times slower in TensorFlow.
    """
    kept = ops.cast(chosen, values.dtype)[:, None, None, None]
    return values * kept + ops.swapaxes(values, 1, 2) * (1 - kept)


def _sources(reversed_: Tensor, zoom: Tensor, place: Tensor, edge: int) -> Tensor:
    """The place that each of p rows comes from, (b, p): 0..p from the first edge to the last."""
    steps = ops.arange(edge, dtype="float32") + 0.5 - edge / 2
    steps = steps * (1 - 2 * reversed_[:, None])
    room = ops.abs(edge - edge / zoom) / 2
    points = ops.mod(steps / zoom[:, None] + (room * place)[:, None] + edge / 2, 2 * edge)
    return ops.minimum(points, 2 * edge - points)


def _linear(sources: Tensor, edge: int) -> Tensor:
    """Weights (b, p, p) of each old row in each new one, at most two of them not zero."""
    centres = ops.clip(sources - 0.5, 0, edge - 1)
    return ops.relu(1 - ops.abs(centres[..., None] - ops.arange(edge, dtype="float32")))


def _nearest(sources: Tensor, edge: int) -> Tensor:
    """Like :func:`_linear`, but 1 for the row that the point lies in."""
    rows = ops.cast(ops.clip(ops.floor(sources), 0, edge - 1), "int32")
    return ops.one_hot(rows, edge, dtype="float32")


def _resampled(values: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Swaps rows and columns of (b, p, p, k), then mixes each by weights (b, p, p).

    Products of matrices are fast on every device, and can be shared out by patches. One-hot weights
    give labels exactly, even where a device multiplies in bfloat16.
    """
    mixed = _mixed(ops.cast(values, "float32"), columns)
    return _mixed(ops.swapaxes(mixed, 1, 2), rows)


def _mixed(values: Tensor, weights: Tensor) -> Tensor:
    edge, channels = values.shape[2:]
    flat = ops.reshape(values, (-1, edge, edge * channels))
    return ops.reshape(ops.matmul(weights, flat), (-1, edge, edge, channels))


def _coloured(images: Tensor, colours: Tensor) -> Tensor:
    """Applies gains, contrast and gamma (b, bands + 2) to images of 0..255."""
    bands = images.shape[-1]
    gains, contrast, gamma = (
        colours[:, None, None, part]
        for part in (slice(bands), slice(bands, bands + 1), slice(bands + 1, bands + 2))
    )
    mean = ops.mean(images, axis=(1, 2), keepdims=True)
    # Written so that 1, 1, 1 gives exactly what was there.
    images = images * (gains * contrast) + mean * (gains * (1 - contrast))
    images = ops.clip(images, 0, 255)
    # This is a power; ops.power is four times slower in TensorFlow and JAX.
    return images * ops.exp((gamma - 1) * ops.log(ops.maximum(images, 1) / 255))
