"""Labelled shapes in an image's pixels, and the mask that they burn into.

Shapes are burnt in the order of their file, so of overlapping ones the *later* wins, as in
``gdal_rasterize``, rasterio and Labelme; how many pixels were decided so is counted. Holes stay
what they were before.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bohb_seg.data.imagery.facts import Valid
from bohb_seg.data.imagery.polygons import Polygon, covered


@dataclass(frozen=True)
class Stencil:
    """Pixels of a part of an image: its first row and column, and which pixels are meant."""

    row: int
    column: int
    pixels: Valid


@dataclass(frozen=True)
class Shape:
    """A labelled area: all that its polygons and its stencil cover.

    Args:
        name: Its class, as the file calls it.
        polygons: Outer ring and holes of each, in columns and rows of the image.
        stencil: Pixels that were stored as such.
    """

    name: str
    polygons: tuple[Polygon, ...] = ()
    stencil: Stencil | None = None


@dataclass(frozen=True)
class Drawing:
    """All shapes that belong to one image.

    Args:
        shapes: In the file's order.
        left_out: Number of points, lines and boxes, which have no area to burn.
        size: Height and width of the image as the file knows it, or None.
        warnings: Sentences about the file.
    """

    shapes: tuple[Shape, ...]
    left_out: int = 0
    size: tuple[int, int] | None = None
    warnings: tuple[str, ...] = ()

    @property
    def names(self) -> Mapping[str, int]:
        """The classes' names with the number of shapes of each."""
        return Counter(shape.name for shape in self.shapes)


@dataclass(frozen=True)
class Burnt:
    """A part of a mask, made of shapes.

    Args:
        values: (height, width), uint8.
        contested: Pixels over which shapes of different values lie.
        unknown: Pixels of each name that no value was given for.
        covered: Pixels over which any shape lies.
    """

    values: npt.NDArray[np.uint8]
    contested: int
    unknown: Mapping[str, int]
    covered: int


def burn(
    shapes: Iterable[Shape],
    values: Mapping[str, int],
    place: tuple[int, int, int, int],
    background: int,
    unknown: int,
) -> Burnt:
    """Burns shapes into a part of an image's mask.

    Args:
        shapes: The image's shapes, in their order; those beside the part may be left out.
        values: The mask's value for each name.
        place: First row, first column, height and width of the part.
        background: The value where no shape lies.
        unknown: The value for names that have none.
    """
    row, column, height, width = place
    mask = np.full((height, width), background, np.uint8)
    taken = np.zeros((height, width), np.bool_)
    contested = np.zeros((height, width), np.bool_)
    strange: dict[str, int] = {}
    number = np.zeros((height, width), np.int32)
    for shape in shapes:
        value = values.get(shape.name, unknown)
        own = 0 if shape.name in values else strange.setdefault(shape.name, len(strange) + 1)
        for first, left, pixels in _parts(shape, row, column, height, width):
            part = np.s_[first : first + pixels.shape[0], left : left + pixels.shape[1]]
            contested[part] |= pixels & taken[part] & (mask[part] != value)
            taken[part] |= pixels
            mask[part][pixels] = value
            if strange:
                number[part][pixels] = own
    counts = np.bincount(number.ravel(), minlength=len(strange) + 1) if strange else np.zeros(1)
    found = {name: int(counts[own]) for name, own in strange.items() if counts[own]}
    return Burnt(mask, int(contested.sum()), found, int(taken.sum()))


def rows_of(shape: Shape) -> tuple[float, float]:
    """The first row that a shape may touch, and the end of the last one."""
    tops, bottoms = [np.inf], [-np.inf]
    for polygon in shape.polygons:
        for ring in polygon[:1]:
            tops.append(ring[:, 1].min(initial=np.inf))
            bottoms.append(ring[:, 1].max(initial=-np.inf))
    if shape.stencil:
        tops.append(shape.stencil.row)
        bottoms.append(shape.stencil.row + shape.stencil.pixels.shape[0])
    return float(np.min(tops)), float(np.max(bottoms))


def _parts(
    shape: Shape, row: int, column: int, height: int, width: int
) -> list[tuple[int, int, Valid]]:
    offset = np.array([column, row], np.float64)
    parts = [
        covered([ring - offset for ring in polygon], height, width) for polygon in shape.polygons
    ]
    if shape.stencil:
        pixels = shape.stencil.pixels
        first, left = shape.stencil.row - row, shape.stencil.column - column
        pixels = pixels[max(0, -first) : max(0, height - first)]
        pixels = pixels[:, max(0, -left) : max(0, width - left)]
        parts.append((max(0, first), max(0, left), pixels))
    return [part for part in parts if part[2].size]
