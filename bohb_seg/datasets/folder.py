"""A folder of images and masks, as public data sets and labelling tools lay it out.

The names of folders and files say which is an image, which its mask and which part it belongs to
(:mod:`bohb_seg.data.layout`), or ``--images`` and ``--masks`` do. Twins always work::

    Tile 1/images/part_001.jpg   <->   Tile 1/masks/part_001.png
"""

from pathlib import Path

from bohb_seg.data.class_tables.fit import table_for
from bohb_seg.data.collection import Collection
from bohb_seg.data.layout.finding import find
from bohb_seg.data.layout.search import summary
from bohb_seg.data.masks import mask_code
from bohb_seg.errors import DataError
from bohb_seg.settings import DataSettings

WITH_PARTS = ("auto", "folders")
"""Values of ``--split`` for which the official split is read; else it may contradict itself."""


def load(settings: DataSettings) -> Collection:
    """Finds the pairs below the folder ``settings.data``, at any depth.

    Raises:
        DataError: it holds no pairs or no usable class table.
    """
    root = Path(settings.data).expanduser()
    found = find(root, settings.images, settings.masks, settings.split in WITH_PARTS)
    if not found.pairs:
        raise DataError("; ".join(found.problems))
    masks = [pair.mask for pair in found.pairs]
    table = table_for(root, settings.classes, masks, settings.preset)
    return Collection(
        root,
        found.pairs,
        found.problems,
        mask_code(table.entries, settings.preset),
        notes=(*summary(found.left_out), *table.notes),
        parts=found.parts,
    )
