"""Labels from several masks of one image, one for each class: Label Studio's export."""

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self, final

import numpy as np
import numpy.typing as npt

from bohb_seg.data.imagery.facts import Facts
from bohb_seg.data.label_source import Finding, Labels, Rows
from bohb_seg.data.labels.mask_file import must_be_read_by_rows, open_rows
from bohb_seg.data.labels.names import labels_of, rest_label
from bohb_seg.data.labels.source import Buffer
from bohb_seg.data.mask_reading.containers import RawMask, unpack
from bohb_seg.data.mask_reading.rows import MaskRows
from bohb_seg.data.masks import MaskCode
from bohb_seg.data.pixels import LARGEST
from bohb_seg.errors import printable
from bohb_seg.files import read_regular

_AT_ONCE = 1 << 20
_HALF = 128
"""Grey of a smeared mask from which a pixel is of the class."""

Area = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Layers:
    """One mask for each class; pixels that are not zero are of the class.

    Args:
        masks: Names of classes with the paths of their masks; of overlapping ones the later counts.
    """

    masks: tuple[tuple[str, tuple[Path, ...]], ...]

    @property
    def name(self) -> str:
        """Name for messages."""
        return f"its masks such as {self.files[0].name}"

    @property
    def files(self) -> tuple[Path, ...]:
        """All masks."""
        return tuple(path for _, paths in self.masks for path in paths)

    def open(self, image: Facts, code: MaskCode) -> Labels:
        """Opens the masks; see :class:`~bohb_seg.data.label_source.LabelSource`."""
        return LayeredLabels(self, image, code)


@final
class LayeredLabels:
    """Labels that are laid over each other, class by class.

    Args:
        layers: The masks.
        image: The image's facts.
        code: Meaning of the classes' names.

    Raises:
        ValueError: a mask is none, or of another size than the image.
    """

    def __init__(self, layers: Layers, image: Facts, code: MaskCode) -> None:
        self.facts: Facts | None = None
        self.size = image.height, image.width
        self._values = labels_of((name for name, _ in layers.masks), code)
        self._rest, self._code = rest_label(code), code
        self._unknown: dict[str, int] = {}
        self._contested = 0
        with ExitStack() as stack:
            self._areas = [
                (name, _opened(path, self.size, stack))
                for name, paths in layers.masks
                for path in paths
            ]
            self._stack = stack.pop_all()
        self._buffer = Buffer(self._lay, max(1, _AT_ONCE // image.width), image.height)

    def rows(self, first: int, count: int) -> Rows:
        """Reads some rows."""
        return self._buffer.rows(first, count)

    @property
    def finding(self) -> Finding:
        """Facts about the rows that were read."""
        said = (
            f"holds different classes for the same {self._contested:,} pixels; the later one counts"
        )
        unknown = {printable(name): many for name, many in self._unknown.items()}
        return Finding(unknown, notes=(said,) if self._contested else ())

    def _lay(self, first: int, count: int) -> Rows:
        labels = np.full((count, self.size[1]), self._rest, np.uint8)
        taken = np.zeros(labels.shape, np.bool_)
        for name, area in self._areas:
            label = self._values.get(name, self._code.unknown_label)
            pixels = area.rows(first, count)
            self._contested += int((pixels & taken & (labels != label)).sum())
            if name not in self._values and (many := int(pixels.sum())):
                self._unknown[name] = self._unknown.get(name, 0) + many
            labels[pixels] = label
            taken |= pixels
        return labels

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()


@final
class _PackedArea:
    """An area that lies in memory, eight pixels a byte."""

    def __init__(self, area: Area) -> None:
        self._packed, self._width = np.packbits(area, axis=1), area.shape[1]

    def rows(self, first: int, count: int) -> Area:
        packed = self._packed[first : first + count]
        return np.unpackbits(packed, axis=1, count=self._width).astype(np.bool_)


@final
class _AreaOnDisk:
    def __init__(self, mask: MaskRows) -> None:
        self._mask = mask

    def rows(self, first: int, count: int) -> Area:
        return _area(self._mask.read(first, count))


def _opened(path: Path, size: tuple[int, int], stack: ExitStack) -> _PackedArea | _AreaOnDisk:
    rows = open_rows(path)
    if rows is not None and must_be_read_by_rows(rows):
        stack.enter_context(rows)
        found: _AreaOnDisk | _PackedArea = _AreaOnDisk(rows)
        has = rows.facts.height, rows.facts.width
    else:
        if rows is not None:
            rows.__exit__()
        area = _area(unpack(read_regular(path, LARGEST)))
        found, has = _PackedArea(area), (area.shape[0], area.shape[1])
    if has != size:
        raise ValueError(
            f"{path.name} is {has[1]}x{has[0]} pixels, not {size[1]}x{size[0]} as the image"
        )
    return found


def _area(raw: RawMask) -> Area:
    values = raw.values
    if raw.palette is not None:
        colours = np.array([*raw.palette, *[0] * (256 - len(raw.palette))])
        values = colours[values]
    area: Area = values >= _HALF if raw.lossy else values != 0
    area = area if area.ndim == 2 else area.any(axis=2)
    return area if raw.hidden is None else area & ~raw.hidden
