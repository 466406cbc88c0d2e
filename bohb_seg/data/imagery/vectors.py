"""Vector files with coordinates (GeoJSON, GeoPackage, shapefile, FlatGeobuf), as shapes in pixels.

pyogrio reads them: rasterio reads no vector files, and fiona is slower, drags in four more packages
and is no longer developed. Edges are straight in the file's own coordinate system; where it is not
the image's, they are cut into short pieces before they are transformed.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bohb_seg.data.imagery import wkb
from bohb_seg.data.imagery.facts import Facts
from bohb_seg.data.imagery.polygons import Ring
from bohb_seg.data.imagery.shapes import Drawing, Shape
from bohb_seg.data.imagery.vector_files import (
    PARSED_WHOLE,
    Bounds,
    Known,
    about,
    features,
    understandable,
    word,
)
from bohb_seg.errors import DataError

CLASS_FIELDS = ("class", "class_name", "classname", "class_id", "label", "category", "landcover",
                "land_cover", "landuse", "land_use", "type")  # fmt: skip
"""Names under which classes are looked for, without regard to case, the first that is there."""

ONE_CLASS = "*"
"""As a class field: all shapes are of one class, named after the layer."""

_BOOKKEEPING = ("id", "fid", "objectid", "gid", "area", "length", "perimeter", "shape_area",
                "shape_leng", "shape_length")  # fmt: skip
_DEGREES_EAST, _DEGREES_NORTH = 180, 90
_PIECE_PIXELS = 32.0
"""Length of the pieces into which edges are cut: a bend within so few pixels cannot be seen."""
_MOST_PIECES = 4096


def read_layer(
    path: Path, facts: Facts, class_field: str | None = None, layer: str | None = None
) -> Drawing:
    """Reads the shapes of a vector file that lie on an image.

    Args:
        path: The file.
        facts: The image's, with its place in the world. Without one, coordinates that cannot be
            places are taken for columns and rows, counted downwards or, below zero, upwards.
        class_field: The field that holds the class, ``ONE_CLASS``, or None to look for one.
        layer: The layer, or None for the only one with polygons.

    Raises:
        DataError: one sentence that says what is missing.
    """
    known = about(path, layer)
    field = _field(path, known.fields, class_field)
    warnings: tuple[str, ...] = ()
    if facts.transform is None:
        facts, crs = _on_pixels(path, known, facts), None
    else:
        crs, warnings = _crs(path, known.crs, known.bounds, facts)
    geometries, names = features(path, known.layer, field, _bounds(facts, crs))
    names = names or [known.layer] * len(geometries)
    return _drawing(path, names, geometries, crs, facts, warnings)


def layer_names(
    path: Path, class_field: str | None = None, layer: str | None = None
) -> tuple[str, ...]:
    """The classes' names in a vector file; none if all of its shapes are of one class.

    Raises:
        DataError: one sentence that says what is missing.
    """
    known = about(path, layer)
    field = _field(path, known.fields, class_field)
    if field is None:
        return ()
    import pyogrio.raw

    with understandable(path):
        _, _, _, columns = pyogrio.raw.read(
            path, layer=known.layer, columns=[field], read_geometry=False
        )
    return tuple(sorted({word for word in map(word, columns[0]) if word}))


def _on_pixels(path: Path, known: Known, facts: Facts) -> Facts:
    """The facts of an image without a place, with its columns and rows as coordinates."""
    bounds = known.bounds
    is_json = path.suffix.lower() in PARSED_WHOLE
    # GDAL takes coordinates of GeoJSON for degrees whatever they are.
    beyond = bounds and (
        max(-bounds.left, bounds.right) > _DEGREES_EAST
        or max(-bounds.bottom, bounds.top) > _DEGREES_NORTH
    )
    if known.crs is not None and not (is_json and beyond):
        raise DataError(
            f"{path} has coordinates, but its image has none; give images that are georeferenced"
        )
    downwards = -1.0 if bounds and bounds.top <= 0 else 1.0
    return replace(facts, crs=None, transform=(1.0, 0.0, 0.0, 0.0, downwards, 0.0))


def _drawing(
    path: Path,
    names: Sequence[str],
    geometries: Sequence[bytes | None],
    crs: str | None,
    facts: Facts,
    warnings: tuple[str, ...],
) -> Drawing:
    shapes, left_out = [], 0
    for name, geometry in zip(names, geometries, strict=True):
        try:
            found = wkb.polygons(geometry) if geometry else []
        except ValueError as error:
            raise DataError(f"{path} cannot be read: {error}") from None
        if not found:
            left_out += 1
            continue
        polygons = tuple([_to_pixels(ring, crs, facts) for ring in rings] for rings in found)
        shapes.append(Shape(name, polygons))
    return Drawing(tuple(shapes), left_out, warnings=warnings)


def _field(path: Path, fields: Sequence[str], wanted: str | None) -> str | None:
    """The field that holds the class; None if all shapes are of one class."""
    if wanted == ONE_CLASS:
        return None
    by_name = {field.lower(): field for field in reversed(fields)}
    listed = ", ".join(fields) or "none"
    if wanted:
        if wanted.lower() not in by_name:
            raise DataError(f"{path} has no field {wanted}; --class-field takes one of: {listed}")
        return wanted if wanted in fields else by_name[wanted.lower()]
    if found := [by_name[name] for name in CLASS_FIELDS if name in by_name]:
        return found[0]
    if set(by_name) - set(_BOOKKEEPING):
        raise DataError(
            f"{path} has several fields ({listed}); say with --class-field which holds the class,"
            f' or --class-field "{ONE_CLASS}" if all shapes are of one class'
        )
    return None


def _crs(
    path: Path, crs: str | None, bounds: Any, facts: Facts
) -> tuple[str | None, tuple[str, ...]]:
    """The file's coordinate system where it is not the image's, and warnings."""
    from rasterio.crs import CRS

    if crs is None:
        said = "names no coordinate system; its coordinates are taken for the image's"
        return None, (said,) if facts.crs else ()
    if facts.crs is None:
        raise DataError(f"{path} has a coordinate system but its image names none; assign it one")
    own = CRS.from_user_input(crs)
    if own.is_geographic and bounds is not None and np.abs(bounds).max() > 360:
        raise DataError(
            f"{path} is said to hold longitudes and latitudes, but holds {bounds[0]:g},"
            f" {bounds[1]:g}; write its coordinate system into it"
        )
    return (None, ()) if own == CRS.from_user_input(facts.crs) else (crs, ())


def _bounds(facts: Facts, crs: str | None) -> Bounds:
    """The image's bounds in the file's coordinate system, a little widened."""
    from rasterio.warp import transform_bounds

    assert facts.transform is not None
    a, b, c, d, e, f = facts.transform
    columns, rows = np.array([(0, 0, 1, 1), (0, 1, 0, 1)]) * [[facts.width], [facts.height]]
    x, y = a * columns + b * rows + c, d * columns + e * rows + f
    bounds = float(x.min()), float(y.min()), float(x.max()), float(y.max())
    if crs:
        bounds = transform_bounds(facts.crs, crs, *bounds)
    left, bottom, right, top = bounds
    margin = 0.01 * max(right - left, top - bottom)
    return Bounds(left - margin, bottom - margin, right + margin, top + margin)


def _to_pixels(ring: Ring, crs: str | None, facts: Facts) -> Ring:
    if crs is None:
        return _pixels(ring, facts)
    rough = _pixels(_transformed(ring, crs, facts), facts)
    lengths = np.hypot(*(np.roll(rough, -1, axis=0) - rough).T)
    counts = np.nan_to_num(np.ceil(lengths / _PIECE_PIXELS), nan=1, posinf=1)
    counts = np.clip(counts, 1, _MOST_PIECES).astype(np.int64)
    corner = np.repeat(np.arange(len(ring)), counts)
    begins = np.repeat(np.cumsum(counts) - counts, counts)
    share = ((np.arange(len(corner)) - begins) / counts[corner])[:, None]
    far = np.roll(ring, -1, axis=0)
    return _pixels(
        _transformed(ring[corner] * (1 - share) + far[corner] * share, crs, facts), facts
    )


def _transformed(ring: Ring, crs: str, facts: Facts) -> Ring:
    from rasterio.warp import transform

    return np.stack(transform(crs, facts.crs, ring[:, 0], ring[:, 1])[:2], axis=1)


def _pixels(ring: npt.NDArray[np.float64], facts: Facts) -> Ring:
    assert facts.transform is not None
    a, b, c, d, e, f = facts.transform
    inverse = np.linalg.inv(np.array([[a, b], [d, e]]))
    moved: Ring = (ring - [c, f]) @ inverse.T
    return moved
