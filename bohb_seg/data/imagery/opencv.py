"""Ordinary images, decoded whole by OpenCV exactly as :mod:`bohb_seg.data.pixels` does."""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import cv2
import numpy as np

from bohb_seg.data.imagery.facts import (
    Facts,
    Values,
    Window,
    has_data,
    is_transparency,
    mistagged,
)
from bohb_seg.data.imagery.tags import Header
from bohb_seg.data.pixels import LARGEST, decoded, refuse_torn
from bohb_seg.files import read_regular

_ORDER = {3: [2, 1, 0], 4: [2, 1, 0, 3]}
"""OpenCV's blue, green, red as red, green, blue."""
_NAMES = {1: ("",), 3: ("red", "green", "blue"), 4: ("red", "green", "blue", "alpha")}


class DecodedImage:
    """An image that lies in memory whole."""

    def __init__(self, values: Values, facts: Facts) -> None:
        self._values = values
        self.facts = facts

    def window(
        self, row: int, column: int, height: int, width: int, bands: Sequence[int]
    ) -> Window:
        """Cuts a part out; see :class:`bohb_seg.data.imagery.facts.Image`."""
        part = self._values[row : row + height, column : column + width]
        values = np.ascontiguousarray(part[..., list(bands)])
        valid = has_data(values, self.facts.nodata)
        if self.facts.alpha is not None:
            valid &= part[..., self.facts.alpha] != 0
        return Window(values, valid)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is held open."""


def open_image(path: Path, header: Header, *, alpha_is_data: bool = False) -> DecodedImage:
    """Decodes an image file.

    Raises:
        ValueError: it is damaged or no image that OpenCV can decode; the message says which.
        OSError: it cannot be read.
    """
    content = read_regular(path, LARGEST)
    refuse_torn(content)
    try:
        values = decoded(content, cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
    except ValueError as error:
        raise ValueError(_reason(header, str(error))) from None
    values = values.reshape(*values.shape[:2], -1)
    values = values[..., _ORDER.get(values.shape[2], list(range(values.shape[2])))]
    bands = values.shape[2]
    tagged = 3 if bands == 4 else None
    data = tagged is not None and (alpha_is_data or not is_transparency(values[..., tagged]))
    names = _NAMES.get(bands, ("",) * bands)
    return DecodedImage(
        values,
        Facts(
            height=values.shape[0],
            width=values.shape[1],
            bands=bands,
            names=(*names[:3], "") if data else names,
            dtype=values.dtype.name,
            alpha=None if data else tagged,
            transform=header.transform,
            orientation=header.orientation,
            profile=header.profile,
            codec=header.codec,
            warnings=(mistagged(3),) if data else (),
        ),
    )


def _reason(header: Header, error: str) -> str:
    if not header.codec:
        return error
    return (
        f"is {header.codec}, but its content is damaged, has more than a billion pixels or is of a"
        " kind that OpenCV cannot decode; convert it to TIFF"
    )
