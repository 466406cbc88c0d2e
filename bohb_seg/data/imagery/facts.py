"""The nouns of an opened image file, and the rule for bands that are tagged as alpha."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, Self

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[Any]
Valid = npt.NDArray[np.bool_]

LARGEST_MIXED_SHARE = 0.1
"""Share of values between clear and opaque that a true alpha band has at most.

Alpha in aerial imagery cuts scenes out: nearly all of it is clear or opaque, soft edges are thin.
Nearly every value of a near-infrared band lies between its extremes.
"""


_NO_ALPHA = "is tagged as alpha, but its values are no transparency"


@dataclass(frozen=True)
class Facts:
    """Facts about an image file, as stored; nothing has been turned or converted.

    Args:
        height: Rows in pixels.
        width: Columns in pixels.
        bands: Number of bands, alpha among them.
        names: The bands' names, "" for a band without one.
        dtype: NumPy's name of the values' type.
        nodata: The value that marks pixels without data, or None.
        alpha: Number of the band that is transparency, from 0, or None.
        crs: Coordinate system as "EPSG:32632" or WKT, or None.
        transform: Affine coefficients a, b, c, d, e, f from (column, row) to coordinates, or None.
        orientation: EXIF orientation, 1 to 8; 1 is as stored.
        profile: Name of the colour profile, "" for one without a name, or None.
        codec: Container and compression, as "TIFF (ZSTD)".
        warnings: Sentences of decoders and of this reader about the file; each ends a "NAME: ".
    """

    height: int
    width: int
    bands: int
    names: tuple[str, ...]
    dtype: str
    nodata: float | None = None
    alpha: int | None = None
    crs: str | None = None
    transform: tuple[float, ...] | None = None
    orientation: int = 1
    profile: str | None = None
    codec: str = ""
    warnings: tuple[str, ...] = ()


class Window(NamedTuple):
    """A part of an image: values (height, width, bands), and which pixels hold data."""

    values: Values
    valid: Valid


class Image(Protocol):
    """An opened image file; one thread at a time may read from it."""

    @property
    def facts(self) -> Facts:
        """The file's facts."""

    def window(
        self, row: int, column: int, height: int, width: int, bands: Sequence[int]
    ) -> Window:
        """Reads a part of the image in the file's own type.

        Args:
            row: First row, from 0.
            column: First column, from 0.
            height: Rows; the window must lie within the image.
            width: Columns.
            bands: Numbers of the bands, from 0, in any order and repeated at will.

        Raises:
            ValueError: the file's content cannot be decoded; the message gives the reason.
        """

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


def is_transparency(sample: Values) -> bool:
    """Whether values of a band that is tagged as alpha are transparency, not a further channel.

    They are if at most a tenth of them lies between 0 and the largest one.
    """
    if not sample.size:
        return True
    mixed = (sample != 0) & (sample != sample.max())
    return bool(mixed.mean() <= LARGEST_MIXED_SHARE)


def mistagged(band: int) -> str:
    """The warning about a band that is tagged as alpha but holds data."""
    return (
        f"band {band + 1} {_NO_ALPHA}; it is read as a channel of its own (near infrared, probably)"
    )


def is_mistagged(facts: Facts) -> bool:
    """Whether a band is tagged as alpha but holds data."""
    return any(_NO_ALPHA in warning for warning in facts.warnings)


def has_data(values: Values, nodata: float | None) -> Valid:
    """Pixels with data in (height, width, bands): a number everywhere, not nodata in all bands."""
    valid: Valid = np.ones(values.shape[:2], np.bool_)
    if values.dtype.kind == "f":
        valid &= np.isfinite(values).all(2)
    if nodata is not None and not np.isnan(nodata):
        valid &= (values != nodata).any(2)
    return valid
