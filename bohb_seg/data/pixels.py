"""Image files to pixels by OpenCV, and its errors in words."""

import contextlib
import re
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

LARGEST = (1 << 31) - 1
"""Bytes of an image file at most: OpenCV takes no more."""

LARGEST_RASTER = 1 << 38
"""Bytes of a file that is read by window at most: more than any mosaic has."""

Pixels = npt.NDArray[np.uint8]

_END_MARKS = {b"\xff\xd8": b"\xff\xd9", b"\x89PNG": b"IEND"}
"""Beginnings of JPEG and PNG files with their end marks."""

_TAIL_BYTES = 4096
"""Bytes at the end in which the end mark is looked for first; only then is the file walked."""

_MARKER = re.compile(rb"\xff([^\x00\xd0-\xd7\xff])", re.DOTALL)
"""Markers of JPEG; within compressed data 0xFF is followed by 0 or by a restart mark."""


@contextlib.contextmanager
def memory_errors() -> Iterator[None]:
    """Raises Python's MemoryError where OpenCV has an error of its own for it."""
    try:
        yield
    except cv2.error as error:
        if error.code == cv2.Error.STS_NO_MEM:
            raise MemoryError(error.err) from None
        raise


def decoded(content: bytes, flags: int) -> npt.NDArray[Any]:
    """Decodes an image file as OpenCV does.

    Raises:
        ValueError: it is no image, or one with more pixels than OpenCV takes.
        MemoryError: this machine's memory does not hold it.
    """
    try:
        with memory_errors():
            image: npt.NDArray[Any] | None = cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    except cv2.error:
        raise ValueError("is not an image, or has more than a billion pixels") from None
    if image is None:
        raise ValueError("is not an image")
    return image


def refuse_torn(content: bytes) -> None:
    """Refuses files that end too early; OpenCV would silently fill what is missing with grey.

    Raises:
        ValueError: the file is empty or has a beginning but no end.
    """
    if not content:
        raise ValueError("is empty")
    for start, end in _END_MARKS.items():
        if not content.startswith(start) or end in content[-_TAIL_BYTES:]:
            continue
        # Phones and drones write whole films behind the end.
        if not (_jpeg_ends(content) if start == b"\xff\xd8" else _png_ends(content)):
            raise ValueError("is cut off")


def _jpeg_ends(content: bytes) -> bool:
    """Whether a JPEG has its end mark, not counting those of previews in its segments."""
    at = 2
    while found := _MARKER.search(content, at):
        if found[1] == b"\xd9":
            return True
        at = found.end() + int.from_bytes(content[found.end() : found.end() + 2])
    return False


def _png_ends(content: bytes) -> bool:
    at = len(b"\x89PNG\r\n\x1a\n")
    while len(content) >= at + 8:
        if content[at + 4 : at + 8] == b"IEND":
            return True
        at += 12 + int.from_bytes(content[at : at + 4])
    return False
