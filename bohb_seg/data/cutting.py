"""Patches cut out of whole images, for data that fit into memory."""

from collections.abc import Sequence

import numpy as np

from bohb_seg.data.imagery.scaling import Scaling
from bohb_seg.data.patch_sets import HeldPatches, scaled
from bohb_seg.data.patches import Grid
from bohb_seg.data.pixels import Pixels
from bohb_seg.data.store.arrays import Store
from bohb_seg.data.store.windows import Numbers, Windows, grids
from bohb_seg.trials import IGNORE

TRAIN = 0
"""The part in which a pixel keeps its label in every patch; see :mod:`bohb_seg.data.patches`."""


def cut(
    windows: Windows,
    crop: bool,
    orders: tuple[Numbers, Numbers, Numbers],
    scaling: Scaling,
    names: Sequence[str],
) -> tuple[HeldPatches, HeldPatches, HeldPatches]:
    """Copies every patch to its place in its part.

    Args:
        windows: All patches, image by image.
        crop: Whether they were laid so, see :func:`bohb_seg.data.store.windows.laid`.
        orders: Numbers of the patches in each part, the part that is trained on first.
        scaling: Makes their values those that a network sees.
        names: Names of the images.
    """
    store, size = windows.store, windows.size
    images = [
        np.empty((len(order), size, size, store.layouts[0].bands), np.uint8) for order in orders
    ]
    labels = [np.empty((len(order), size, size), np.uint8) for order in orders]
    places = [np.full(len(windows), -1) for _ in orders]
    for place, order in zip(places, orders, strict=True):
        place[order] = np.arange(len(order))
    first = 0
    for number, each in enumerate(grids(store, size, crop)):
        mine = slice(first, first + len(each))
        first = mine.stop
        cut_images, cut_labels = _patches(store, number, each, scaling)
        counted = each.count_once(cut_labels)
        for part, place in enumerate(places):
            here = place[mine] >= 0
            target = place[mine][here]
            images[part][target] = cut_images[here]
            labels[part][target] = (cut_labels if part == TRAIN else counted)[here]
    train, validation, test = (
        HeldPatches(images[part], labels[part], tuple(windows[order].sources(names)))
        for part, order in enumerate(orders)
    )
    return train, validation, test


def _patches(store: Store, number: int, laid: Grid, scaling: Scaling) -> tuple[Pixels, Pixels]:
    """All patches of an image; beyond its edges the bands are 0 and the labels IGNORE."""
    layout = store.layouts[number]
    values, labels = store.window(number, 0, 0, layout.height, layout.width)
    missing = [(0, max(0, laid.size - edge)) for edge in labels.shape]
    labels = np.pad(labels, missing, constant_values=IGNORE)
    image = np.pad(scaled(values, scaling), [*missing, (0, 0)])
    return laid.cut(image), laid.cut(labels[..., None])[..., 0]
