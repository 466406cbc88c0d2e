"""Labels from shapes: vector files with coordinates, COCO and Labelme JSON.

Shapes are burnt some rows at a time, in the order of their file; where they overlap, the later one
counts. ``names`` says which label a name stands for, and what becomes of the rest.
"""

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Self, final

import numpy as np

from bohb_seg.data.imagery.annotations import read_coco, read_labelme
from bohb_seg.data.imagery.facts import Facts
from bohb_seg.data.imagery.shapes import Drawing, burn, rows_of
from bohb_seg.data.imagery.vector_files import files_of
from bohb_seg.data.imagery.vectors import read_layer
from bohb_seg.data.label_source import Finding, Labels, Rows
from bohb_seg.data.labels.names import labels_of, rest_label
from bohb_seg.data.labels.source import Buffer
from bohb_seg.data.masks import MaskCode
from bohb_seg.errors import DataError, printable

_AT_ONCE = 1 << 20
"""Pixels that are burnt at once; that takes 15 bytes each."""
_COCO_FILES = 2
"""Parsed COCO files that are kept: one may hold the shapes of all images."""

_parsing = threading.Lock()


@dataclass(frozen=True)
class Layer:
    """Polygons with coordinates: GeoJSON, GeoPackage, shapefile, FlatGeobuf.

    Args:
        path: The file; it may cover many images.
        field: The field that holds the class (``--class-field``), or None to look for one.
        only: The class of all shapes of a file without such a field; None: named after the layer.
        layer: The layer, or None for the only one.
    """

    path: Path
    field: str | None = None
    only: str | None = None
    layer: str | None = None

    @property
    def name(self) -> str:
        """Name for messages."""
        return f"its shapes {self.path.name}"

    @property
    def files(self) -> tuple[Path, ...]:
        """The file, and those that belong to it."""
        return files_of(self.path)

    def open(self, image: Facts, code: MaskCode) -> Labels:
        """Opens the shapes; see :class:`~bohb_seg.data.label_source.LabelSource`."""
        return DrawnLabels(self.drawing(image), image, code)

    def drawing(self, image: Facts) -> Drawing:
        """The shapes that lie on an image.

        Raises:
            DataError: they cannot be read.
        """
        found = read_layer(self.path, image, self.field, self.layer)
        if self.only is None:
            return found
        return replace(found, shapes=tuple(replace(s, name=self.only) for s in found.shapes))


@dataclass(frozen=True)
class Stack:
    """Several layers over each other, as one file or layer for each class.

    Args:
        layers: The layers; of overlapping shapes those of the later count.
    """

    layers: tuple[Layer, ...]

    @property
    def name(self) -> str:
        """Name for messages."""
        return f"its shapes {', '.join(dict.fromkeys(file.path.name for file in self.layers))}"

    @property
    def files(self) -> tuple[Path, ...]:
        """All files."""
        return tuple(dict.fromkeys(file for layer in self.layers for file in layer.files))

    def open(self, image: Facts, code: MaskCode) -> Labels:
        """Opens the shapes; see :class:`~bohb_seg.data.label_source.LabelSource`."""
        drawings = [layer.drawing(image) for layer in self.layers]
        joined = Drawing(
            tuple(shape for drawing in drawings for shape in drawing.shapes),
            sum(drawing.left_out for drawing in drawings),
            warnings=tuple(dict.fromkeys(said for each in drawings for said in each.warnings)),
        )
        return DrawnLabels(joined, image, code)


@dataclass(frozen=True)
class _ShapesFile:
    """A file of shapes that stands alone."""

    path: Path

    @property
    def name(self) -> str:
        """Name for messages."""
        return f"its shapes {self.path.name}"

    @property
    def files(self) -> tuple[Path, ...]:
        """The file."""
        return (self.path,)


@dataclass(frozen=True)
class CocoImage(_ShapesFile):
    """The shapes of one image in a COCO file.

    Args:
        path: The file.
        image_name: The image's ``file_name`` in it.
    """

    image_name: str

    def open(self, image: Facts, code: MaskCode) -> Labels:
        """Opens the shapes; see :class:`~bohb_seg.data.label_source.LabelSource`."""
        drawings = coco_drawings(self.path)
        if self.image_name not in drawings:
            raise DataError(f"{self.path} names no image {self.image_name}; export it again")
        return DrawnLabels(drawings[self.image_name], image, code)


@dataclass(frozen=True)
class LabelmeFile(_ShapesFile):
    """A Labelme file, which belongs to one image.

    Args:
        path: The file.
    """

    def open(self, image: Facts, code: MaskCode) -> Labels:
        """Opens the shapes; see :class:`~bohb_seg.data.label_source.LabelSource`."""
        _, drawing = read_labelme(self.path)
        return DrawnLabels(drawing, image, code)


@final
class DrawnLabels:
    """Labels that are burnt from shapes.

    Args:
        drawing: The shapes.
        image: The image's facts.
        code: Meaning of the shapes' names.

    Raises:
        ValueError: the shapes were drawn for an image of another size.
    """

    def __init__(self, drawing: Drawing, image: Facts, code: MaskCode) -> None:
        self.facts: Facts | None = None
        self.size = image.height, image.width
        if drawing.size not in (None, self.size):
            height, width = drawing.size or self.size
            raise ValueError(
                f"was drawn on an image of {width}x{height} pixels, not {image.width}x"
                f"{image.height}; export image and labels again"
            )
        self._drawing, self._code = drawing, code
        self._values = labels_of(drawing.names, code)
        self._rest = rest_label(code)
        spans = np.array([rows_of(shape) for shape in drawing.shapes]).reshape(-1, 2)
        self._first, self._end = spans.T
        self._unknown: Counter[str] = Counter()
        self._contested = self._covered = 0
        step = max(1, _AT_ONCE // image.width)
        self._buffer = Buffer(self._burn, step, image.height)

    def rows(self, first: int, count: int) -> Rows:
        """Reads some rows."""
        return self._buffer.rows(first, count)

    @property
    def finding(self) -> Finding:
        """Facts about the rows that were read."""
        notes = list(self._drawing.warnings)
        if self._drawing.left_out:
            said = f"holds {self._drawing.left_out} points, lines or boxes, which have no area"
            notes.append(said)
        if self._contested:
            notes.append(
                f"holds shapes of different classes over the same {self._contested:,} pixels;"
                " the later one counts"
            )
        if not self._covered:
            notes.append("holds no shape that lies on the image")
        unknown = {printable(name) or "no name": many for name, many in self._unknown.items()}
        return Finding(unknown, notes=tuple(notes))

    def _burn(self, first: int, count: int) -> Rows:
        near = np.flatnonzero((self._first < first + count) & (self._end > first))
        shapes = [self._drawing.shapes[number] for number in near]
        place = first, 0, count, self.size[1]
        burnt = burn(shapes, self._values, place, self._rest, self._code.unknown_label)
        self._unknown.update(burnt.unknown)
        self._contested += burnt.contested
        self._covered += burnt.covered
        return burnt.values

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is held open."""


def coco_drawings(path: Path) -> Mapping[str, Drawing]:
    """The shapes of each image of a COCO file; the last files are kept.

    Raises:
        DataError: the file is no COCO file, or breaks its rules; the sentence says where.
    """
    try:
        state = path.stat()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None
    with _parsing:
        return _coco_drawings(path, state.st_mtime_ns, state.st_size)


@lru_cache(_COCO_FILES)
def _coco_drawings(path: Path, changed: int, size: int) -> Mapping[str, Drawing]:
    del changed, size  # they only tell the versions of the file apart
    return read_coco(path)
