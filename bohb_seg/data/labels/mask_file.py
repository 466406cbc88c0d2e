"""Labels from a mask: an image file of indices or colours, of any container and size.

Up to :data:`WHOLE` pixels it is read whole. A larger one is read twice by rows, first to count its
values and then to look them up: TIFF, JPEG 2000 and PNG, where rasterio is installed.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Self, final

from bohb_seg.data.imagery import geotiff
from bohb_seg.data.imagery.alignment import difference, open_aligned, open_mask
from bohb_seg.data.imagery.facts import Facts
from bohb_seg.data.imagery.reader import header_of
from bohb_seg.data.label_source import Finding, Labels, Rows
from bohb_seg.data.labels.source import Buffer, WholeLabels
from bohb_seg.data.mask_reading.histogram import Histogram, LookUp
from bohb_seg.data.mask_reading.reading import labelled, read_mask
from bohb_seg.data.mask_reading.rows import MaskRows
from bohb_seg.data.masks import MaskCode
from bohb_seg.data.pixels import LARGEST, LARGEST_RASTER
from bohb_seg.files import open_regular, read_regular

WHOLE = 1 << 24
"""Pixels up to which a mask is read whole; that takes up to 12 bytes each."""

_PNG, _PNG_SIZE = b"\x89PNG\r\n\x1a\n", slice(16, 24)


@dataclass(frozen=True)
class MaskFile:
    """A mask file.

    Args:
        path: The file.
        align: Whether a mask on another grid than its image's is warped onto it.
    """

    path: Path
    align: bool = False

    @property
    def name(self) -> str:
        """Name for messages."""
        return f"its mask {self.path.name}"

    @property
    def files(self) -> tuple[Path, ...]:
        """The file."""
        return (self.path,)

    def open(self, image: Facts, code: MaskCode) -> Labels:
        """Opens the mask; see :class:`~bohb_seg.data.label_source.LabelSource`."""
        rows = open_rows(self.path)
        facts = None if rows is None else rows.facts
        if self.align and facts and facts.transform is not None and difference(image, facts):
            _close(rows)
            return RowLabels(MaskRows(open_aligned(self.path, image)), code, aligned=True)
        if rows is not None and must_be_read_by_rows(rows):
            return RowLabels(rows, code)
        _close(rows)
        mask = read_mask(read_regular(self.path, LARGEST), code)
        if facts is None and (place := header_of(self.path).transform):
            size = mask.labels.shape
            facts = Facts(size[0], size[1], 1, ("",), "uint8", transform=place)
            if self.align and difference(image, facts):
                open_aligned(self.path, image)  # raises: rasterio is missing, or cannot read it
        return WholeLabels(mask.labels, Finding(mask.unknown, mask.palette, mask.smeared), facts)


def open_rows(path: Path) -> MaskRows | None:
    """Opens a mask by rows; None where it is better read whole.

    Raises:
        ValueError: it is cut off.
        OSError: it cannot be read.
    """
    if not geotiff.available():
        return None
    with open_regular(path, LARGEST_RASTER) as file:
        head = file.read(_PNG_SIZE.stop)
    if head.startswith(_PNG):
        width, height = head[16:20], head[20:24]
        if int.from_bytes(width) * int.from_bytes(height) <= WHOLE:
            return None
    header = header_of(path)
    if header.cut_off:
        raise ValueError("is cut off")
    if header.logarithms or not header.codec.startswith(("TIFF", "JPEG 2000", "PNG")):
        return None
    try:
        return MaskRows(open_mask(path))
    except ValueError:
        return None  # other readers know some variants that GDAL does not


def must_be_read_by_rows(rows: MaskRows) -> bool:
    """Whether a mask is too large to be read whole, or cannot be."""
    return rows.facts.height * rows.facts.width > WHOLE or rows.is_rare


@final
class RowLabels:
    """Labels of a mask that is read by rows.

    Args:
        rows: The mask; it is closed with the labels.
        code: Meaning of its values.
        aligned: Whether it was brought onto the image's grid.

    Raises:
        ValueError: it cannot be decoded, or is none; the message gives the reason.
    """

    def __init__(self, rows: MaskRows, code: MaskCode, *, aligned: bool = False) -> None:
        self._mask = rows
        self.facts = None if aligned else rows.facts
        self.size = rows.facts.height, rows.facts.width
        try:
            self._look_up, self._finding = _understood(rows, code, aligned)
        except BaseException:
            rows.__exit__()
            raise
        self._buffer = Buffer(self._make, rows.step, self.size[0])

    def rows(self, first: int, count: int) -> Rows:
        """Reads some rows."""
        return self._buffer.rows(first, count)

    @property
    def finding(self) -> Finding:
        """Facts about all rows."""
        unknown, palette, smeared = self._finding
        return Finding(unknown, palette, smeared, self._mask.said)

    def _make(self, first: int, count: int) -> Rows:
        return self._look_up.labels(self._mask.read(first, count))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._mask.__exit__()


def _understood(
    mask: MaskRows, code: MaskCode, aligned: bool
) -> tuple[LookUp, tuple[dict[str, int], bool, float]]:
    """The label of each value, decided in view of the whole mask."""
    histogram = Histogram()
    for first in range(0, mask.facts.height, mask.step):
        histogram.add(mask.read(first, min(mask.step, mask.facts.height - first)))
    if aligned and histogram.is_clear:
        raise ValueError("does not reach its image")
    keys, distinct = histogram.distinct()
    found = labelled(distinct, code)
    labels = found.labels[0, : len(keys)]
    look_up = LookUp(keys, labels, hides=not histogram.is_clear)
    return look_up, (dict(found.unknown), found.palette, found.smeared)


def _close(rows: MaskRows | None) -> None:
    if rows is not None:
        rows.__exit__()
