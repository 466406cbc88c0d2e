"""Vector files, read by pyogrio: their layers, fields, and the geometries within some bounds.

Facts about a file are kept, and so is all of a GeoJSON file: it must be parsed whole for each image
that shapes are looked for in.
"""

import importlib.util
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bohb_seg.data.imagery.geotiff import INSTALL, available
from bohb_seg.errors import DataError

SUFFIXES = (".geojson", ".gpkg", ".shp", ".fgb")
PARSED_WHOLE = (".geojson", ".json")
_SHAPEFILE = (".shx", ".dbf", ".prj", ".cpg")
_one_at_a_time = threading.Lock()
"""Held while a file is parsed, which several threads would otherwise all do."""


def files_of(path: Path) -> tuple[Path, ...]:
    """A vector file and those that belong to it: a shapefile is several."""
    if path.suffix.lower() != ".shp":
        return (path,)
    beside = (path.with_suffix(end) for suffix in _SHAPEFILE for end in (suffix, suffix.upper()))
    return (path, *(file for file in beside if file.exists()))


def layers_of(path: Path) -> tuple[str, ...]:
    """Names of the layers of a file that may hold polygons.

    Raises:
        DataError: one sentence that says what is missing.
    """
    _require(path)
    with understandable(path):
        return tuple(_layers(path))


class Bounds(NamedTuple):
    """Extent of shapes or of an image in a coordinate system."""

    left: float
    bottom: float
    right: float
    top: float


@dataclass(frozen=True)
class Known:
    """Facts about a layer of a file."""

    layer: str
    fields: tuple[str, ...]
    crs: str | None
    bounds: Bounds | None


def _require(path: Path) -> None:
    if not (available() and importlib.util.find_spec("pyogrio")):
        raise DataError(f"{path} is a vector file, which takes rasterio and pyogrio; {INSTALL}")


def about(path: Path, layer: str | None) -> Known:
    """Facts about a layer, None for the only one with polygons; they are kept.

    Raises:
        DataError: one sentence that says what is missing.
    """
    _require(path)
    with _one_at_a_time, understandable(path):
        return _remembered(path, layer, *_version(path))


@lru_cache(maxsize=16)
def _remembered(path: Path, layer: str | None, *version: int) -> Known:
    del version  # it only tells the versions of the file apart
    import pyogrio

    name = layer or _layer(path)
    info = pyogrio.read_info(path, layer=name, force_total_bounds=True)
    bounds = info["total_bounds"]
    return Known(
        name,
        tuple(map(str, info["fields"])),
        info["crs"],
        None if bounds is None else Bounds(*map(float, bounds)),
    )


def features(
    path: Path, layer: str, field: str | None, bounds: Bounds
) -> tuple[Sequence[bytes | None], list[str]]:
    """Geometries within some bounds, and the name of each; no names without a field.

    Raises:
        DataError: the file cannot be read.
    """
    import pyogrio.raw

    columns = [field] if field else []
    if path.suffix.lower() in PARSED_WHOLE:
        with _one_at_a_time, understandable(path):
            geometries, names, boxes = _parsed(path, layer, field, *_version(path))
        left, bottom, right, top = boxes
        near = (right >= bounds.left) & (left <= bounds.right) & (top >= bounds.bottom)
        kept = np.flatnonzero(near & (bottom <= bounds.top)).tolist()
        return [geometries[n] for n in kept], [names[n] for n in kept] if field else []
    with understandable(path):
        _, _, found, values = pyogrio.raw.read(
            path, layer=layer, columns=columns, bbox=tuple(bounds)
        )
    return found, [*map(word, values[0])] if field else []


@lru_cache(maxsize=1)
def _parsed(path: Path, layer: str, field: str | None, *version: int) -> Any:
    """All of a file that has no index, for the next image is looked for in it, too."""
    del version
    import pyogrio
    import pyogrio.raw

    columns = [field] if field else []
    _, _, geometries, values = pyogrio.raw.read(path, layer=layer, columns=columns)
    _, boxes = pyogrio.read_bounds(path, layer=layer)
    return geometries, [*map(word, values[0])] if field else [], boxes


def _version(path: Path) -> tuple[int, int]:
    try:
        state = path.stat()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None
    return state.st_mtime_ns, state.st_size


@contextmanager
def understandable(path: Path) -> Iterator[None]:
    """Makes sentences of what GDAL says about a file."""
    from pyogrio.errors import DataLayerError, DataSourceError, FeatureError, GeometryError

    kinds = DataLayerError, DataSourceError, FeatureError, GeometryError, ValueError
    try:
        yield
    except kinds as error:
        reason = str(error).splitlines()[0][:200]
        raise DataError(f"{path} cannot be read as a vector file: {reason}") from None


def _layer(path: Path) -> str:
    layers = _layers(path)
    if len(layers) != 1:
        listed = ", ".join(layers) or "none"
        raise DataError(f"{path} must hold one layer of polygons, not {len(layers)} ({listed})")
    return layers[0]


def _layers(path: Path) -> list[str]:
    """Layers that may hold polygons; those of a file of points and lines, too, to be told of."""
    import pyogrio

    kinds = {str(name): str(kind) for name, kind in pyogrio.list_layers(path) if kind is not None}
    areas = [name for name, kind in kinds.items() if "Point" not in kind and "Line" not in kind]
    return areas or list(kinds)


def word(value: object) -> str:
    """A field's value as text; whole numbers lose the point that a missing value gives them."""
    if isinstance(value, float | np.floating):
        return "" if np.isnan(value) else f"{value:.15g}"
    return "" if value is None else str(value).strip()
