"""Image files to pixels, and pixels to a smaller scale."""

import contextlib
import re
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

LARGEST = (1 << 31) - 1
"""Bytes of an image file at most: OpenCV takes no more."""

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


@memory_errors()
def read_image(content: bytes) -> Pixels:
    """Decodes an image file to RGB, uint8, (height, width, 3).

    Grey is repeated, alpha is dropped, and of 16 bits the upper 8 are kept. A rotation that the
    file's metadata asks for is not carried out, because masks have no such metadata.

    Raises:
        ValueError: it is no image, or only the beginning of one; the message gives the reason.
    """
    refuse_torn(content)
    image = decoded(content, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


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


@memory_errors()
def shrink(image: Pixels, labels: Pixels, factor: int) -> tuple[Pixels, Pixels]:
    """Shrinks image (by area) and labels (nearest) so that they stay aligned.

    Args:
        image: (height, width, 3).
        labels: (height, width).
        factor: Number of pixels that become one along each axis, at least 1.

    Returns:
        Both at (height // factor, width // factor), at least 1 pixel.
    """
    if factor == 1:
        return image, labels
    size = max(1, labels.shape[1] // factor), max(1, labels.shape[0] // factor)
    # NEAREST_EXACT takes the middle of each block; plain NEAREST takes its corner, which would
    # shift the mask by half a pixel against the averaged image.
    return (
        np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8),
        np.asarray(cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST_EXACT), np.uint8),
    )
