"""The interface behind which the labels of an image lie; :mod:`bohb_seg.data.labels` has them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt

from bohb_seg.data.imagery.facts import Facts
from bohb_seg.data.masks import MaskCode

Rows = npt.NDArray[np.uint8]
"""Labels of some rows of an image, (rows, width)."""


@dataclass(frozen=True)
class Finding:
    """Facts about the labels of an image.

    Args:
        unknown: Pixels of each colour, index or name that is in no class.
        palette: Whether they are a mask with a palette.
        smeared: Share of pixels that were given to the nearest class, 0..1.
        notes: Sentences for the audit about the file, which go on after its name.
    """

    unknown: Mapping[str, int]
    palette: bool = False
    smeared: float = 0.0
    notes: tuple[str, ...] = ()


class Labels(Protocol):
    """Opened labels of an image; one thread at a time may read from them."""

    @property
    def facts(self) -> Facts | None:
        """Size and place in the world of a mask, for ``alignment.refuse_unaligned``.

        None if the file has none of its own, or was brought onto the image's grid.
        """

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""

    def rows(self, first: int, count: int) -> Rows:
        """Reads some rows; quickest from top to bottom.

        Args:
            first: The first row, from 0.
            count: Number of rows; all must lie within the image.

        Returns:
            Labels (count, width).

        Raises:
            ValueError: the file's content cannot be decoded; the message goes on after "the file".
        """

    @property
    def finding(self) -> Finding:
        """Facts about all rows; complete once each was read once."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


class LabelSource(Protocol):
    """Origin of an image's labels. Sources are values: hashable, and sent to other processes."""

    @property
    def name(self) -> str:
        """Name for messages, as "its mask a.png"."""

    @property
    def files(self) -> tuple[Path, ...]:
        """All files that the labels follow from."""

    def open(self, image: Facts, code: MaskCode) -> Labels:
        """Opens the labels of an image.

        Args:
            image: The image's facts.
            code: Meaning of values and names.

        Raises:
            ValueError: the labels cannot be used; the message goes on after "the file".
            DataError: the same, as a whole sentence.
            OSError: a file cannot be read.
        """
