"""Facts about image files from their headers alone: nothing is decoded, so thousands take seconds.

They say how large a file is and of which form, which a forecast asks for. Names of bands, nodata
and coordinate systems are not among them.
"""

import struct
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image, TiffImagePlugin

from bohb_seg.data.imagery import geotiff
from bohb_seg.data.imagery.facts import Facts
from bohb_seg.data.imagery.tags import read_header
from bohb_seg.data.pixels import LARGEST_RASTER
from bohb_seg.files import open_regular

_PNG_BANDS = {0: 1, 2: 3, 3: 3, 4: 4, 6: 4}
"""Bands of each colour type, as OpenCV decodes it."""
_KINDS = {1: "u", 2: "i", 3: "f"}
"""NumPy's letters for TIFF's sample formats."""
_WIDTH, _HEIGHT, _BITS, _PHOTOMETRIC, _SAMPLES, _EXTRA, _FORMAT = 256, 257, 258, 262, 277, 338, 339
_PALETTE = 3


def glance(path: Path) -> Facts:
    """The facts in a file's header.

    Raises:
        ValueError: it is of no kind whose header is known, or its header is damaged.
        OSError: it cannot be read.
    """
    with open_regular(path, LARGEST_RASTER) as file:
        codec = read_header(file).codec
        file.seek(0)
        try:
            if codec.startswith("TIFF"):
                return _tiff(file, codec)
            return _png(file) if codec == "PNG" else _other(file, codec)
        except (OSError, SyntaxError, struct.error, KeyError, IndexError):
            pass
    if codec.startswith(("TIFF", "JPEG 2000")) and geotiff.available():
        return _by_gdal(path, codec)
    raise ValueError(f"is {codec or 'of an unknown kind'}, and its header says no size")


def _png(file: BinaryIO) -> Facts:
    width, height, bits, colours = struct.unpack_from(">IIBB", file.read(26), 16)
    bands = _PNG_BANDS[colours]
    return _facts(height, width, bands, "uint16" if bits == 16 else "uint8", "PNG", bands == 4)


def _tiff(file: BinaryIO, codec: str) -> Facts:
    head = file.read(8)
    tags: Any = TiffImagePlugin.ImageFileDirectory_v2(
        head + (file.read(8) if 43 in (head[2], head[3]) else b"")
    )
    file.seek(tags.next)
    tags.load(file)
    bits = max(tags.get(_BITS, (1,)))
    kind = _KINDS[tags.get(_FORMAT, (1,))[0]]
    samples = 3 if tags.get(_PHOTOMETRIC) == _PALETTE else tags.get(_SAMPLES, 1)
    size = next(size for size in (8, 16, 32, 64) if bits <= size)
    dtype = np.dtype(f"{kind}{size // 8}").name
    # 1 and 2 say alpha; 0 says nothing.
    alpha = samples > 1 and tags.get(_EXTRA, (0,))[-1] in (1, 2)
    return _facts(tags[_HEIGHT], tags[_WIDTH], samples, dtype, codec, alpha)


def _other(file: BinaryIO, codec: str) -> Facts:
    """A JPEG, WebP, BMP and the like, by Pillow, but not by ``open``: it refuses large ones."""
    Image.init()
    kinds = {"JPEG 2000": "JPEG2000", "PNM": "PPM", "WebP": "WEBP"}
    image = Image.OPEN[kinds.get(codec, codec)][0](file, "")
    bands = 3 if image.mode == "P" else len(image.getbands())
    dtype = "uint16" if image.mode.startswith("I;16") else "uint8"
    return _facts(image.height, image.width, bands, dtype, codec, image.mode.endswith("A"))


def _by_gdal(path: Path, codec: str) -> Facts:
    with geotiff.dataset_of(path, codec) as found:
        alpha = found.colorinterp[-1].name == "alpha"
        return _facts(found.height, found.width, found.count, found.dtypes[0], codec, alpha)


def _facts(height: int, width: int, bands: int, dtype: str, codec: str, alpha: bool) -> Facts:
    return Facts(
        height=int(height),
        width=int(width),
        bands=int(bands),
        names=("",) * int(bands),
        dtype=dtype,
        alpha=int(bands) - 1 if alpha else None,
        codec=codec,
    )
