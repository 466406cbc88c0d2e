"""COCO and Labelme files, as shapes in pixels; they take no further package."""

import base64
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from bohb_seg.data.imagery.facts import Valid
from bohb_seg.data.imagery.polygons import Ring
from bohb_seg.data.imagery.shapes import Drawing, Shape, Stencil
from bohb_seg.data.pixels import LARGEST, decoded
from bohb_seg.errors import DataError
from bohb_seg.files import read_regular

_CIRCLE_CORNERS = 256
_MOST_PIXELS = 1 << 31


def read_coco(path: Path) -> Mapping[str, Drawing]:
    """The shapes of each image of a COCO file, by the image's ``file_name``.

    Raises:
        DataError: the file is no COCO file, or breaks its rules; the sentence says where.
    """
    plain = _json(path)
    try:
        categories = {entry["id"]: str(entry["name"]) for entry in plain["categories"]}
        images = {entry["id"]: entry for entry in plain["images"]}
        found: dict[Any, list[Shape]] = {number: [] for number in images}
        left_out = dict.fromkeys(images, 0)
        for entry in plain["annotations"]:
            size = _size(images[entry["image_id"]], "height", "width")
            shape = _coco_shape(categories[entry["category_id"]], entry.get("segmentation"), size)
            if shape:
                found[entry["image_id"]].append(shape)
            else:
                left_out[entry["image_id"]] += 1
        return {
            str(entry["file_name"]): Drawing(
                tuple(found[number]), left_out[number], _size(entry, "height", "width")
            )
            for number, entry in images.items()
        }
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise DataError(f"{path} is no valid COCO file ({_what(error)}); export it again") from None


def read_labelme(path: Path) -> tuple[str, Drawing]:
    """The name of the image that a Labelme file belongs to, and its shapes.

    Raises:
        DataError: the file is no Labelme file, or breaks its rules; the sentence says where.
    """
    plain = _json(path)
    try:
        shapes = [_labelme_shape(entry) for entry in plain["shapes"]]
        size = _size(plain, "imageHeight", "imageWidth")
        kept = tuple(shape for shape in shapes if shape)
        # Windows writes the path with backslashes.
        image = str(plain["imagePath"]).replace("\\", "/").rpartition("/")[2]
        return image, Drawing(kept, len(shapes) - len(kept), size)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise DataError(
            f"{path} is no valid Labelme file ({_what(error)}); export it again"
        ) from None


def is_coco(plain: object) -> bool:
    """Whether JSON is in the form of COCO."""
    return isinstance(plain, dict) and {"images", "annotations", "categories"} <= plain.keys()


def is_labelme(plain: object) -> bool:
    """Whether JSON is in the form of Labelme."""
    return isinstance(plain, dict) and {"shapes", "imagePath"} <= plain.keys()


def _json(path: Path) -> Any:
    try:
        return json.loads(read_regular(path, LARGEST))
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is no JSON ({error}); export it again") from None


def _what(error: Exception) -> str:
    return f"{error} is missing or unknown" if isinstance(error, KeyError) else str(error)


def _size(entry: Mapping[str, Any], height: str, width: str) -> tuple[int, int] | None:
    """The image's size, which some tools leave out or write as 0."""
    found = int(entry.get(height) or 0), int(entry.get(width) or 0)
    return found if all(found) else None


def _coco_shape(name: str, segmentation: Any, size: tuple[int, int] | None) -> Shape | None:
    """The area of an annotation; None for those with a box or points only."""
    if not segmentation:
        return None
    if isinstance(segmentation, dict):
        stencil = _cropped(_run_lengths(segmentation, size))
        return Shape(name, stencil=stencil) if stencil else None
    return Shape(name, tuple([_ring(np.reshape(flat, (-1, 2)))] for flat in segmentation))


def _cropped(pixels: Valid) -> Stencil | None:
    """The part that holds anything: an image may have hundreds of small areas."""
    rows, columns = np.flatnonzero(pixels.any(1)), np.flatnonzero(pixels.any(0))
    if not rows.size:
        return None
    part = pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return Stencil(int(rows[0]), int(columns[0]), part.copy())


def _run_lengths(segmentation: Mapping[str, Any], size: tuple[int, int] | None) -> Valid:
    height, width = map(int, segmentation["size"])
    has = size or (height, width)
    if (height, width) != has or height * width > _MOST_PIXELS:
        raise ValueError(f"an area of {width}x{height} pixels in an image of {has[1]}x{has[0]}")
    counts = segmentation["counts"]
    counts = list(_uncompressed(counts)) if isinstance(counts, str) else list(map(int, counts))
    if min(counts, default=0) < 0 or sum(counts) != height * width:
        raise ValueError("run lengths that do not fill their image")
    # Columns first, and beginning with what is outside.
    values = np.arange(len(counts)) % 2 == 1
    pixels: Valid = np.repeat(values, counts).reshape(width, height).T
    return pixels


def _uncompressed(text: str) -> Iterator[int]:
    """Run lengths from COCO's text: five bits a character, each beyond two less the one before."""
    counts: list[int] = []
    value = shift = 0
    for character in text.encode("ascii"):
        bits = character - 48
        value |= (bits & 0x1F) << shift
        shift += 5
        if bits & 0x20:
            continue
        if bits & 0x10:
            value -= 1 << shift
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
        yield counts[-1]
        value = shift = 0


def _labelme_shape(entry: Mapping[str, Any]) -> Shape | None:
    """The area of a shape; None for points and lines."""
    name, points = str(entry["label"]), _ring(entry["points"])
    kind = entry.get("shape_type") or "polygon"
    if kind == "mask":
        content = base64.b64decode(entry["mask"])
        pixels = decoded(content, cv2.IMREAD_GRAYSCALE) > 0
        column, row = points.min(0)
        return Shape(name, stencil=Stencil(round(row), round(column), pixels))
    if kind == "rectangle":
        (left, top), (right, bottom) = points.min(0), points.max(0)
        points = np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
    elif kind == "circle":
        radius = float(np.hypot(*(points[1] - points[0])))
        angles = np.linspace(0, 2 * np.pi, _CIRCLE_CORNERS, endpoint=False)
        points = points[0] + radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    elif kind != "polygon":
        return None
    return Shape(name, ([points],))


def _ring(points: Any) -> Ring:
    ring = np.asarray(points, np.float64)
    if ring.ndim != 2 or ring.shape[1] != 2 or not np.isfinite(ring).all():
        raise ValueError("a shape without pairs of coordinates")
    return ring
