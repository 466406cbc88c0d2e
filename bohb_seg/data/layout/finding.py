"""From a data folder to its pairs, their official parts, and what is left out and why."""

from dataclasses import replace
from pathlib import Path

from bohb_seg.data.layout.globs import pair_by_globs
from bohb_seg.data.layout.official import official_split
from bohb_seg.data.layout.pairs import CHOOSE, Found, pair_up
from bohb_seg.data.layout.search import search
from bohb_seg.errors import DataError


def find(root: Path, images: str | None = None, masks: str | None = None) -> Found:
    """Finds the pairs below a folder, by the names in it or by two patterns.

    Args:
        root: The data folder.
        images: Pattern of the images' paths below it (``--images``), or None.
        masks: Pattern of the masks' paths below it (``--masks``), or None.

    Raises:
        DataError: only one of the two patterns is given.
    """
    tree = search(root)
    if images is not None and masks is not None:
        found = pair_by_globs(tree, images, masks)
    elif images is None and masks is None:
        found = pair_up(tree)
    else:
        raise DataError(f"--images and --masks go together; give both: {CHOOSE}")
    official = official_split(tree, found.pairs)
    return replace(
        found,
        parts=official.parts,
        left_out=tuple(sorted((*found.left_out, *official.left_out))),
        problems=(*found.problems, *official.problems),
    )
