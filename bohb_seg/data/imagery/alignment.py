"""Whether image and mask show the same ground, pixel by pixel; warping where they do not.

Compared is what both files state. A mask without a place in the world (PNG) only needs the image's
size, as does any mask of an image without one.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bohb_seg.data.imagery.facts import Facts
from bohb_seg.data.imagery.geotiff import INSTALL, available, dataset_of
from bohb_seg.data.imagery.tags import Header, read_header
from bohb_seg.data.pixels import LARGEST_RASTER
from bohb_seg.errors import DataError
from bohb_seg.files import open_regular

LARGEST_SHIFT = 0.1
"""Pixels by which the corners of image and mask may differ: rounding in headers, nothing to see."""


_TOLERANCE = 0.001
"""Pixels by which GDAL may simplify the warping; an eighth, its own choice, would be seen."""


def difference(image: Facts, mask: Facts) -> str | None:
    """The first of coordinate system, resolution, place and size that differs, as a phrase.

    Returns:
        A phrase after "but its mask ", or None if each pixel of the mask belongs to the image's.
    """
    placed = image.transform is not None and mask.transform is not None
    if placed and not _same_crs(image.crs, mask.crs):
        return f"is in {_short(mask.crs)}, not in {_short(image.crs)}"
    if placed and not np.allclose(_pixel(image), _pixel(mask), rtol=1e-4, atol=0):
        return f"has pixels of {_metres(mask)}, not {_metres(image)}"
    if placed and (shift := _shift(image, mask)) > LARGEST_SHIFT:
        return f"lies {shift:.3g} pixels beside it"
    if (image.height, image.width) != (mask.height, mask.width):
        return f"is {mask.width}x{mask.height} pixels, not {image.width}x{image.height}"
    return None


def refuse_unaligned(name: str, image: Facts, mask: Facts) -> None:
    """Refuses a pair that does not show the same ground.

    Raises:
        DataError: one sentence that says which fact differs, and by how much.
    """
    found = difference(image, mask)
    if found is None:
        return
    placed = image.transform is not None and mask.transform is not None
    cure = "--align warps masks onto their images" if placed else "they must be equal"
    raise DataError(f"{name} cannot be used, because its mask {found}; {cure}")


@dataclass(frozen=True)
class Dataset:
    """A mask that rasterio has opened.

    Args:
        dataset: The file, or a view of it on the image's grid.
        header: The file's header.
        nodata: The value that the file declares to be no data, or None.
        reach: Whether a last band says how far the mask reaches: 0 beyond.
        file: The file that a view reads from; None if there is no view.
    """

    dataset: Any
    header: Header
    nodata: float | None
    reach: bool = False
    file: Any = None

    def close(self) -> None:
        """Closes view and file."""
        self.dataset.close()
        if self.file is not None:
            self.file.close()


def open_mask(path: Path) -> Dataset:
    """Opens a mask on its own grid, with rasterio.

    Raises:
        ValueError: it cannot be decoded; the message gives the reason.
        OSError: it cannot be read.
    """
    with open_regular(path, LARGEST_RASTER) as file:
        header = read_header(file)
    dataset = dataset_of(path, header.codec)
    return Dataset(dataset, header, dataset.nodata)


def open_aligned(path: Path, image: Facts) -> Dataset:
    """Opens a mask, warped onto the pixels of its image by the nearest value, never a blend.

    Args:
        path: The mask, a raster with a place in the world.
        image: The image's facts.

    Raises:
        DataError: rasterio is missing, or one of both does not say where it lies.
        ValueError: the mask cannot be decoded.
        OSError: it cannot be read.
    """
    if not available():
        raise DataError(f"{path} must be warped onto its image, which takes rasterio; {INSTALL}")
    from rasterio.enums import ColorInterp, Resampling
    from rasterio.transform import Affine
    from rasterio.vrt import WarpedVRT

    mask = open_mask(path)
    if image.transform is None or image.crs is None or not mask.dataset.crs:
        mask.close()
        raise DataError(
            f"{path} cannot be warped onto its image: both must name a coordinate system and place"
        )
    # A value that is no data may be a class nevertheless, so it is warped like any other.
    reach = ColorInterp.alpha not in mask.dataset.colorinterp
    view = WarpedVRT(
        mask.dataset,
        crs=image.crs,
        transform=Affine(*image.transform),
        height=image.height,
        width=image.width,
        resampling=Resampling.nearest,
        tolerance=_TOLERANCE,
        src_nodata=None,
        nodata=None,
        add_alpha=reach,
    )
    return Dataset(view, mask.header, mask.nodata, reach, mask.dataset)


def _same_crs(first: str | None, second: str | None) -> bool:
    if first is None or second is None or first == second:
        return True
    from rasterio.crs import CRS  # only files that rasterio read have one

    return bool(CRS.from_user_input(first) == CRS.from_user_input(second))


def _pixel(facts: Facts) -> tuple[float, float]:
    """Width and height of a pixel in units of the coordinate system."""
    assert facts.transform is not None
    a, b, _, d, e, _ = facts.transform
    return float(np.hypot(a, d)), float(np.hypot(b, e))


def _shift(image: Facts, mask: Facts) -> float:
    """Largest distance of the mask's corners from the image's, in the image's pixels."""
    assert image.transform is not None
    assert mask.transform is not None
    first, second = (np.reshape(each, (2, 3)) for each in (image.transform, mask.transform))
    height, width = (min(getattr(image, n), getattr(mask, n)) for n in ("height", "width"))
    corners = np.array([(0, 0, 1), (width, 0, 1), (0, height, 1), (width, height, 1)], float)
    moved = np.linalg.inv(first[:, :2]) @ ((second - first) @ corners.T)
    return float(np.hypot(*moved).max())


def _metres(facts: Facts) -> str:
    width, height = _pixel(facts)
    return f"{width:.6g}" if np.isclose(width, height) else f"{width:.6g} x {height:.6g}"


def _short(crs: str | None) -> str:
    """A coordinate system in a few words: WKT begins with its name."""
    text = crs or "none"
    return text.split('"')[1] if '"' in text else text
