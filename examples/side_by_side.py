"""A data set: images and masks side by side in one folder, ``x.jpg`` and ``x_mask.png``.

Run it::

    bohb-data check examples/side_by_side.py:/data/photos
    bohb-master --data examples/side_by_side.py:/data/photos
"""

from pathlib import Path

from bohb_seg.data.class_tables.fit import table_for
from bohb_seg.data.collection import Collection, Pair
from bohb_seg.data.masks import mask_code
from bohb_seg.errors import DataError
from bohb_seg.settings import DataSettings

IMAGES, MASK = ("*.jpg", "*.jpeg"), "_mask.png"


def load(settings: DataSettings) -> Collection:
    """Finds the pairs in the folder that stands behind the colon of ``--data``.

    Every image is a group of its own, so that ``--split group`` may part any two of them.

    Raises:
        DataError: the folder holds no image.
    """
    root = Path(settings.data).expanduser()
    images = sorted(image for pattern in IMAGES for image in root.glob(pattern))
    if not images:
        raise DataError(f"{root} holds no {' or '.join(IMAGES)}; check the path behind the colon")
    masks = {image: image.with_name(image.stem + MASK) for image in images}
    pairs = tuple(
        Pair(image.name, group=image.stem, image=image, mask=mask)
        for image, mask in masks.items()
        if mask.is_file()
    )
    problems = (
        f"{image.name} has no mask; expected {mask.name}"
        for image, mask in masks.items()
        if not mask.is_file()
    )
    table = table_for(root, settings.classes, [pair.mask for pair in pairs], settings.preset)
    code = mask_code(table.entries, settings.preset)
    return Collection(root, pairs, tuple(problems), code, notes=table.notes)
