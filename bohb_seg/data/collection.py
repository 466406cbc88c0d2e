"""Image and mask files of a data set in pairs, and the meaning of the masks' values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bohb_seg.data.label_source import LabelSource
from bohb_seg.data.masks import MaskCode
from bohb_seg.errors import printable


@dataclass(frozen=True)
class Pair:
    """An image and its mask.

    Args:
        name: Path of the image below the data folder, with forward slashes; made harmless.
        group: Name of the images that belong together, e.g. ``"Tile 1"``: pieces of one mosaic.
        image: The image file.
        mask: The mask file, or the file that holds the labels otherwise.
        labels: The labels, where they are no mask file.
    """

    name: str
    group: str
    image: Path
    mask: Path
    labels: LabelSource | None = None

    def __post_init__(self) -> None:
        # Here, because a name is shown everywhere from now on, and a file's name may be any bytes.
        object.__setattr__(self, "name", printable(self.name))
        object.__setattr__(self, "group", printable(self.group))

    @property
    def label_files(self) -> tuple[Path, ...]:
        """All files that the labels follow from."""
        return (self.mask,) if self.labels is None else self.labels.files


@dataclass(frozen=True)
class Collection:
    """The files of a data set and the meaning of its masks, as its ``load`` returns them.

    Args:
        root: The data folder.
        pairs: Pairs sorted by name; at least one.
        problems: One sentence for each thing that must be mended first, e.g. a missing mask.
        code: Meaning of the masks' values.
        notes: One sentence for each thing that is worth knowing, e.g. what was left out.
        parts: Part of the pairs' names in the split that the data set is published with:
            ``"train"``, ``"validation"`` or ``"test"``. A pair that it leaves out belongs to no
            part; it is empty if there is no such split.
    """

    root: Path
    pairs: tuple[Pair, ...]
    problems: tuple[str, ...]
    code: MaskCode
    notes: tuple[str, ...] = ()
    parts: Mapping[str, str] = field(default_factory=dict)
