"""Places of patches in an image, and how patches are cut out.

An image whose edge is no multiple of the patch gets a last row and column of patches that overlap
the ones before, so that no pixel is lost. Preset ``milestone3`` crops the rest away instead, as the
Milestone 3 reports did (docs/origin.md); they lost 14 % of their data by it.

Overlap must not weigh in a score: in the validation and test parts every pixel counts once. There a
pixel that an earlier patch of the same image shows already is IGNORE in the later patch's labels.
In the training part the pixel keeps its label: at another place of another patch it is one more
example, and a patch of nothing but IGNORE would be a wasted step.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from patchify import patchify

from bohb_seg.data.pixels import Pixels
from bohb_seg.trials import IGNORE


@dataclass(frozen=True)
class Grid:
    """The patches of one image, counted row by row.

    Args:
        size: Edge of a patch in pixels.
        rows: Upper edges of the patches, rising, in pixels.
        columns: Left edges of the patches, rising, in pixels.
    """

    size: int
    rows: tuple[int, ...]
    columns: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.rows) * len(self.columns)

    def corners(self) -> list[tuple[int, int]]:
        """Row and column of every patch's upper left pixel."""
        return [(row, column) for row in self.rows for column in self.columns]

    def cut(self, pixels: Pixels) -> Pixels:
        """Cuts (height, width, channels) into (patches, size, size, channels)."""
        window = (self.size, self.size, pixels.shape[2])
        # With step 1 patchify is a view of all windows; only those picked are copied.
        every = patchify(pixels, window, step=1)
        picked: Pixels = every[np.ix_(self.rows, self.columns)]
        return picked.reshape(len(self), *window)

    def shown_before(self) -> npt.NDArray[np.bool_]:
        """Whether an earlier patch shows each pixel already, (patches, size, size)."""
        across = _overlaps(self.columns, self.size)[None, :, None, :]
        down = _overlaps(self.rows, self.size)[:, None, :, None]
        return np.logical_or(down, across).reshape(len(self), self.size, self.size)

    def count_once(self, labels: Pixels) -> Pixels:
        """Labels (patches, size, size) with IGNORE where an earlier patch shows the pixel."""
        return np.where(self.shown_before(), np.uint8(IGNORE), labels)


def grid(height: int, width: int, size: int, crop: bool) -> Grid:
    """Lays patches over an image that is at least as large as one.

    Args:
        height: Height of the image in pixels.
        width: Width of the image in pixels.
        size: Edge of a patch in pixels.
        crop: Whether a rest that does not fill a patch is left out, instead of overlapping.
    """
    return Grid(size, _starts(height, size, crop), _starts(width, size, crop))


def _starts(length: int, size: int, crop: bool) -> tuple[int, ...]:
    assert length >= size, f"an edge of {length} pixels holds no patch of {size}"
    starts = tuple(range(0, length - size + 1, size))
    return starts if crop or length % size == 0 else (*starts, length - size)


def _overlaps(starts: tuple[int, ...], size: int) -> npt.NDArray[np.bool_]:
    """Whether the patch before covers each position along one axis, (patches, size)."""
    ends = np.array([0, *(start + size for start in starts[:-1])])
    covered: npt.NDArray[np.bool_] = np.array(starts)[:, None] + np.arange(size) < ends[:, None]
    return covered
