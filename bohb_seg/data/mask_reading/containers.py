"""Mask files to the values that were written, whatever their container does to them.

OpenCV replaces palette indices by colours, stretches one bit to 0..255, multiplies alpha into the
colours of a TIFF and reads no GIF. Those are read with Pillow, which keeps the values; matplotlib
needs it, so that it is installed everywhere. All else is read with OpenCV, as images are.
"""

import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    PngImagePlugin,
    TiffImagePlugin,
)

from bohb_seg.data.imagery.geotiff import INSTALL, available, listening
from bohb_seg.data.pixels import decoded, refuse_torn

Values = npt.NDArray[Any]

_NODATA_TAG, _BITS_TAG, _COMPRESSION_TAG = 42113, 258, 259
"""Tags of a TIFF: GDAL_NODATA, a number as text; BitsPerSample; and Compression."""
_LOSSY_COMPRESSIONS = frozenset({6, 7, 34712, 34892, 50001})
"""JPEG, old and new, JPEG 2000 and WebP within a TIFF."""
LOSSY_CODECS = frozenset(
    f"TIFF ({name})" for name in ("JPEG", "old JPEG", "JPEG 2000", "WebP", "lossy JPEG")
)
"""The same as :mod:`bohb_seg.data.imagery.tags` calls them."""
_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_GREY, _PNG_COLOUR = 0, 2

_TIFF = re.compile(rb"II[*+]\0|MM\0[*+]")
_OPENERS: tuple[tuple[re.Pattern[bytes], Callable[[io.BytesIO], ImageFile.ImageFile]], ...] = (
    (re.compile(re.escape(_PNG)), PngImagePlugin.PngImageFile),
    (_TIFF, TiffImagePlugin.TiffImageFile),
    (re.compile(rb"BM"), BmpImagePlugin.BmpImageFile),
    (re.compile(rb"GIF8"), GifImagePlugin.GifImageFile),
)
_LOSSY = re.compile(rb"\xff\xd8|RIFF....WEBP(VP8 |VP8X.*VP8 )", re.DOTALL)
"""Beginnings of JPEG and of WebP files that do not keep every value."""
_HEAD_BYTES = 4096
_MOST_PIXELS = 1 << 30
"""OpenCV takes no more; it holds for all containers alike."""
_BY_PILLOW = frozenset({"1", "P", "LA", "PA", "RGBA", "I", "F"})
"""Kinds of pixels of TIFF, BMP and GIF files that OpenCV changes or cannot read."""


@dataclass(frozen=True)
class RawMask:
    """Values of a mask as they were written.

    Args:
        values: Numbers or palette indices (height, width), or colours (height, width, 3) as red,
            green, blue.
        bits: Bits of a value; grey values of fewer than 8 bits are not stretched.
        palette: Colours 0xRRGGBB of a palette file, None for all others; it may be empty.
        hidden: Pixels that an alpha channel makes transparent (height, width); None without one.
        nodata: Numbers, or colours 0xRRGGBB, that the file declares to be no value.
        lossy: Whether the container does not keep every value.
        counts: Number of pixels that each value stands for, (height, width); None: one each.
    """

    values: Values
    bits: int = 8
    palette: tuple[int, ...] | None = None
    hidden: npt.NDArray[np.bool_] | None = None
    nodata: tuple[float, ...] = ()
    lossy: bool = False
    counts: npt.NDArray[np.int64] | None = None

    def pixels(self, where: npt.NDArray[np.bool_] | None = None) -> int:
        """Number of pixels of the values at some places (height, width), or at all."""
        if self.counts is not None:
            return int(self.counts.sum() if where is None else self.counts[where].sum())
        return self.values.shape[0] * self.values.shape[1] if where is None else int(where.sum())


def unpack(content: bytes) -> RawMask:
    """Reads a mask file.

    Raises:
        ValueError: it is no image that can be a mask; the message gives the reason.
    """
    refuse_torn(content)
    file = _opened(content)
    if file is None:
        return _unknown_to_pillow(content)
    bits, lossy = _bits(file, content), _is_lossy_tiff(file)
    facts = RawMask(np.empty(0), bits, nodata=_nodata(file), lossy=lossy)
    if file.mode in ("P", "PA"):
        return _indices(file, facts)
    if file.mode == "1" or (file.format != "PNG" and (file.mode in _BY_PILLOW or facts.bits < 8)):
        return _split_alpha(_unstretched(_pixels(file), facts.bits), facts)
    return _split_alpha(_of_png_or_plain(content, file, facts.bits), facts)


def _unknown_to_pillow(content: bytes) -> RawMask:
    try:
        return _split_alpha(_with_opencv(content), RawMask(np.empty(0), lossy=_is_lossy(content)))
    except ValueError:
        if not _TIFF.match(content):
            raise
    if not available():
        raise ValueError(f"is a TIFF of a kind that takes rasterio; {INSTALL}") from None
    return _with_gdal(content)


def _with_gdal(content: bytes) -> RawMask:
    """Types and compressions of TIFFs that only GDAL knows: numbers of 64 bits, ZSTD, LERC."""
    from rasterio.errors import RasterioError
    from rasterio.io import MemoryFile

    try:
        with listening([]), MemoryFile(content) as file, file.open(driver="GTiff") as dataset:
            bands, nodata = dataset.read(), dataset.nodata
    except RasterioError:
        raise ValueError("is not an image") from None
    if len(bands) > 4:  # colours and alpha
        raise ValueError(f"has {len(bands)} bands; a mask has one, or three of colours")
    values = bands[0] if len(bands) == 1 else np.ascontiguousarray(np.moveaxis(bands, 0, 2))
    return _split_alpha(values, RawMask(np.empty(0), nodata=() if nodata is None else (nodata,)))


def _opened(content: bytes) -> ImageFile.ImageFile | None:
    """The file as Pillow sees it; None if it is of no container that OpenCV changes."""
    for start, opener in _OPENERS:
        if start.match(content):
            try:
                return opener(io.BytesIO(content))
            except (OSError, SyntaxError, ValueError, TypeError, KeyError, EOFError):
                return None  # OpenCV knows some variants that Pillow does not
    return None


def _pixels(file: ImageFile.ImageFile) -> Values:
    if file.width * file.height > _MOST_PIXELS:
        raise ValueError("is not an image, or has more than a billion pixels")
    Image.MAX_IMAGE_PIXELS = None  # a guard of web sites; it refuses a mosaic of 180 million pixels
    try:
        return np.asarray(file)
    except (OSError, SyntaxError, ValueError, TypeError, KeyError, EOFError):
        raise ValueError("is damaged or cut off") from None


def _indices(file: ImageFile.ImageFile, facts: RawMask) -> RawMask:
    values = _pixels(file)
    colours = file.getpalette("RGB") or []
    palette = tuple(
        red << 16 | green << 8 | blue
        for red, green, blue in zip(colours[::3], colours[1::3], colours[2::3], strict=False)
    )
    return RawMask(values[..., 0] if values.ndim == 3 else values, 8, palette, None, facts.nodata)


def _of_png_or_plain(content: bytes, file: ImageFile.ImageFile, bits: int) -> Values:
    try:
        values = _with_opencv(content)
    except ValueError:
        values = _pixels(file)  # compressions that OpenCV was built without
        return values if values.ndim == 2 else values[..., :3]
    if content.startswith(_PNG) and content[25] == _PNG_COLOUR and values.ndim == 3:
        return values[..., :3]  # a fourth band only repeats the colour that stands for no data
    return _unstretched(values, bits) if values.ndim == 2 else values


def _with_opencv(content: bytes) -> Values:
    values = decoded(content, cv2.IMREAD_UNCHANGED)
    if values.ndim == 2:
        return values
    if values.shape[2] not in (3, 4):
        raise ValueError(f"has {values.shape[2]} bands; a mask has one, or three of colours")
    order = [2, 1, 0, 3][: values.shape[2]]
    return values[..., order]


def _split_alpha(values: Values, facts: RawMask) -> RawMask:
    """Separates transparency from the values; alpha of zero everywhere says nothing."""
    bands = 1 if values.ndim == 2 else values.shape[2]
    hidden = values[..., -1] == 0 if bands in (2, 4) else None
    if hidden is not None:
        values = values[..., 0] if bands == 2 else values[..., :3]
        hidden = None if hidden.all() or not hidden.any() else hidden
    return RawMask(values, facts.bits, None, hidden, facts.nodata, facts.lossy)


def _unstretched(values: Values, bits: int) -> Values:
    """Values as written: both libraries stretch 1, 2 and 4 bits to 0..255."""
    if values.dtype == np.bool_:
        return values.astype(np.uint8)
    return values if bits >= 8 else values // np.uint8(255 // (2**bits - 1))


def _bits(file: ImageFile.ImageFile, content: bytes) -> int:
    if file.mode == "1":
        return 1
    if content.startswith(_PNG):
        return content[24] if content[25] == _PNG_GREY else 8
    if isinstance(file, TiffImagePlugin.TiffImageFile):
        return int(file.tag_v2.get(_BITS_TAG, (8,))[0])
    return 8


def _nodata(file: ImageFile.ImageFile) -> tuple[float, ...]:
    """Numbers that stand for no data: GDAL's tag, a colour key or a transparent palette entry."""
    if isinstance(file, TiffImagePlugin.TiffImageFile):
        return _number(file.tag_v2.get(_NODATA_TAG))
    declared: Any = file.info.get("transparency")
    if isinstance(declared, bytes):
        return tuple(index for index, alpha in enumerate(declared) if alpha == 0)
    if isinstance(declared, tuple):
        red, green, blue = declared
        return (red << 16 | green << 8 | blue,)
    return () if declared is None else (declared,)


def _number(text: object) -> tuple[float, ...]:
    try:
        return (float(str(text).strip(" \0")),)
    except ValueError:
        return ()


def _is_lossy(content: bytes) -> bool:
    return _LOSSY.match(content[:_HEAD_BYTES]) is not None


def _is_lossy_tiff(file: ImageFile.ImageFile) -> bool:
    if not isinstance(file, TiffImagePlugin.TiffImageFile):
        return False
    return file.tag_v2.get(_COMPRESSION_TAG) in _LOSSY_COMPRESSIONS
