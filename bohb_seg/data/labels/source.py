"""Labels that lie in memory, whole or some rows at a time."""

from collections.abc import Callable
from typing import Self, final

import numpy as np

from bohb_seg.data.imagery.facts import Facts
from bohb_seg.data.label_source import Finding, Rows


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
