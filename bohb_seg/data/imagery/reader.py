"""One way to open an image file of any kind.

TIFF and JPEG 2000 go to rasterio where it is installed, everything else to OpenCV. Where rasterio
is missing, OpenCV reads the TIFFs that it reads as they are stored, and the others are refused with
the command that installs rasterio. Both give equal pixels for what both read.
"""

from pathlib import Path

from bohb_seg.data.imagery import geotiff, opencv
from bohb_seg.data.imagery.facts import Facts, Image
from bohb_seg.data.imagery.tags import Header, read_header
from bohb_seg.data.pixels import LARGEST_RASTER
from bohb_seg.errors import DataError
from bohb_seg.files import open_regular


def open_image(path: Path, *, alpha_is_data: bool = False) -> Image:
    """Opens an image file.

    Args:
        path: The file.
        alpha_is_data: Whether a band tagged as alpha is a channel whatever its values look like;
            for data sets in which other images have shown that it is.

    Raises:
        ValueError: it is damaged, cut off, of a kind that takes rasterio, or no image; the message
            gives the reason and goes on after "the file".
        OSError: it cannot be read.
    """
    header = header_of(path)
    if header.cut_off:
        raise ValueError("is cut off")
    if header.codec.startswith(("TIFF", "JPEG 2000")) and not header.logarithms:
        if geotiff.available():
            return geotiff.open_raster(path, header, alpha_is_data=alpha_is_data)
        # OpenCV reads the first band three times where a JPEG 2000 names no colours.
        if not header.plain or header.codec.startswith("JPEG 2000"):
            raise ValueError(
                f"is {header.codec} of a kind (codec, bands, nodata or orientation) that takes"
                f" rasterio; {geotiff.INSTALL}"
            )
    return opencv.open_image(path, header, alpha_is_data=alpha_is_data)


def header_of(path: Path) -> Header:
    """The header of a file.

    Raises:
        OSError: it cannot be read.
    """
    with open_regular(path, LARGEST_RASTER) as file:
        return read_header(file)


def chosen_bands(facts: Facts, wanted: str | None = None) -> tuple[int, ...]:
    """The bands that a network sees.

    Args:
        facts: The image's facts.
        wanted: Numbers from 1 or names, as "1,2,3" or "red,nir"; None for all but alpha. A single
            band is then repeated to three, as grey images always were.

    Raises:
        DataError: the image has no such band.
    """
    if not wanted:
        bands = tuple(band for band in range(facts.bands) if band != facts.alpha)
        return bands * 3 if len(bands) == 1 else bands
    names = [name.lower() for name in facts.names]
    chosen = []
    for word in (word.strip().lower() for word in wanted.split(",")):
        if word.isdecimal() and 1 <= int(word) <= facts.bands:
            chosen.append(int(word) - 1)
        elif word and word in names:
            chosen.append(names.index(word))
        else:
            named = ", ".join(filter(None, facts.names)) or "none has a name"
            raise DataError(
                f"--bands {wanted}: an image has no band {word or '(empty)'} among its"
                f" {facts.bands} ({named}); give numbers from 1 to {facts.bands} or names"
            )
    return tuple(chosen)
