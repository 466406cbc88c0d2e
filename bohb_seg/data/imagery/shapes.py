"""Labelled shapes in an image's pixels, and the mask that they burn into.

Shapes are burnt in the order of their file, so of overlapping ones the *later* wins, as in
``gdal_rasterize``, rasterio and Labelme; how many pixels were decided so is counted. Holes stay
what they were before.
"""

from collections import Counter
from collections.abc import Mapping
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
    """A mask made of shapes.

    Args:
        values: (height, width), uint8.
        contested: Pixels over which shapes of different values lie.
        unknown: Number of shapes of each name that no value was given for; they are not burnt.
    """

    values: npt.NDArray[np.uint8]
    contested: int
    unknown: Mapping[str, int]


def burn(
    drawing: Drawing, values: Mapping[str, int], place: tuple[int, int, int, int], background: int
) -> Burnt:
    """Burns shapes into a part of an image's mask.

    Args:
        drawing: The image's shapes.
        values: The mask's value for each name.
        place: First row, first column, height and width of the part.
        background: The value where no shape lies.
    """
    row, column, height, width = place
    mask = np.full((height, width), background, np.uint8)
    taken = np.zeros((height, width), np.bool_)
    contested = np.zeros((height, width), np.bool_)
    unknown: Counter[str] = Counter()
    for shape in drawing.shapes:
        if shape.name not in values:
            unknown[shape.name] += 1
            continue
        value = values[shape.name]
        for first, left, pixels in _parts(shape, row, column, height, width):
            part = np.s_[first : first + pixels.shape[0], left : left + pixels.shape[1]]
            contested[part] |= pixels & taken[part] & (mask[part] != value)
            taken[part] |= pixels
            mask[part][pixels] = value
    return Burnt(mask, int(contested.sum()), dict(unknown))


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
