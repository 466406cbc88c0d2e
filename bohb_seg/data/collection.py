"""Image and mask files of a data set, paired, and what the values of the masks mean."""

from dataclasses import dataclass
from pathlib import Path

from bohb_seg.data.masks import MaskCode


@dataclass(frozen=True)
class Pair:
    """An image and its mask.

    Args:
        name: Path of the image below the data folder, with forward slashes.
        group: Folder above ``images/``, e.g. ``"Tile 1"``: pieces of one mosaic.
    """

    name: str
    group: str
    image: Path
    mask: Path


@dataclass(frozen=True)
class Collection:
    """What a data set's ``load`` returns: where its files lie and what their masks mean.

    Args:
        root: The data folder.
        pairs: Sorted by name; at least one.
        problems: One sentence per file that has no partner.
        code: What the values of masks mean.
    """

    root: Path
    pairs: tuple[Pair, ...]
    problems: tuple[str, ...]
    code: MaskCode
