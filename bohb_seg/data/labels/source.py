"""The interface behind which the labels of an image lie."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self, final

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


@final
class WholeLabels:
    """Labels that lie in memory.

    Args:
        labels: (height, width).
        finding: Facts about them.
        facts: Size and place of their mask.
    """

    def __init__(self, labels: Rows, finding: Finding, facts: Facts | None = None) -> None:
        self._labels = labels
        self.finding = finding
        self.facts = facts

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self._labels.shape[0], self._labels.shape[1]

    def rows(self, first: int, count: int) -> Rows:
        """Reads some rows."""
        return self._labels[first : first + count]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is held open."""


class Buffer:
    """Rows that are made some at a time and asked for in other numbers.

    Args:
        make: Makes rows from a first one on, (count, width).
        step: Number of rows that are made at once.
        height: Number of all rows.
    """

    def __init__(self, make: Callable[[int, int], Rows], step: int, height: int) -> None:
        self._make, self._step, self._height = make, step, height
        self._first, self._rows = -1, np.empty((0, 0), np.uint8)

    def rows(self, first: int, count: int) -> Rows:
        """Some rows; each is made once if they are asked for from top to bottom."""
        parts = []
        for start in range(first // self._step * self._step, first + count, self._step):
            if start != self._first:
                self._rows = self._make(start, min(self._step, self._height - start))
                self._first = start
            parts.append(self._rows[max(0, first - start) : first + count - start])
        return parts[0] if len(parts) == 1 else np.concatenate(parts)
