"""GeoTIFF, COG, BigTIFF and JPEG 2000, read by window with rasterio (extra ``[geo]``)."""

import glob
import importlib.util
import logging
import tempfile
import threading
import warnings
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from bohb_seg.data.imagery.facts import (
    Facts,
    Valid,
    Values,
    Window,
    has_data,
    is_transparency,
    mistagged,
)
from bohb_seg.data.imagery.tags import Header

INSTALL = "pip install 'bohb-seg[geo]'"
"""Command that installs what this module and vector files need."""

_SAMPLED_WINDOWS, _SAMPLED_PIXELS = 4, 64
"""An alpha band is judged by 4 x 4 windows of 64 x 64 pixels, spread over the image."""

_COLOURS = ("red", "green", "blue")

_BLOCK_CACHE = 1 << 27
"""Bytes of decoded blocks that GDAL keeps in a process; its own choice, a twentieth of all
memory, would hold a whole orthomosaic."""


def available() -> bool:
    """Whether rasterio is installed."""
    return importlib.util.find_spec("rasterio") is not None


class Raster:
    """A dataset of rasterio as an image.

    Args:
        dataset: The dataset; it is closed with the image.
        header: The file's header.
        alpha_is_data: Whether a band tagged as alpha is a channel in any case.
    """

    def __init__(self, dataset: Any, header: Header, *, alpha_is_data: bool = False) -> None:
        self._dataset = dataset
        self._said: list[str] = []
        self._inverted = header.inverted
        self._palette = _palette(dataset)
        self._facts = _facts(dataset, header, self._palette is not None)
        tagged = self._facts.alpha
        if tagged is not None and (alpha_is_data or not is_transparency(self._sample(tagged))):
            names = ["" if name == "alpha" else name for name in self._facts.names]
            self._facts = replace(
                self._facts,
                alpha=None,
                names=tuple(names),
                warnings=(*self._facts.warnings, mistagged(tagged)),
            )

    @property
    def facts(self) -> Facts:
        """The file's facts, with what its decoder has said until now."""
        return replace(self._facts, warnings=(*self._facts.warnings, *dict.fromkeys(self._said)))

    def window(
        self, row: int, column: int, height: int, width: int, bands: Sequence[int]
    ) -> Window:
        """Reads a part; see :class:`bohb_seg.data.imagery.facts.Image`."""
        place = (row, row + height), (column, column + width)
        stored = (0,) if self._palette is not None else tuple(dict.fromkeys(bands))
        values = self._read(stored, place)
        valid = has_data(values, self._facts.nodata)
        if self._facts.alpha is not None:
            valid &= self._read((self._facts.alpha,), place)[..., 0] != 0
        elif (mask := self._own_mask(place)) is not None:
            valid &= mask
        if self._palette is None:
            values = self._as_shown(values)
        if self._palette is not None:
            values = self._palette[np.minimum(values[..., 0], len(self._palette) - 1)]
            stored = (0, 1, 2)
        return Window(values[..., [stored.index(band) for band in bands]], valid)

    def _as_shown(self, values: Values) -> Values:
        """Grey of fewer than 8 bits over the whole range, and white as the largest value."""
        if values.dtype.kind != "u":
            return values
        most = np.iinfo(values.dtype).max
        bits = int(self._dataset.tags(1, ns="IMAGE_STRUCTURE").get("NBITS", 8))
        if values.dtype == np.uint8 and bits < 8:
            values = values * np.uint8(255 // (2**bits - 1))
        elif bits > 8:
            most = 2**bits - 1
        return most - values if self._inverted else values

    def _own_mask(self, place: Any) -> Valid | None:
        """The mask that a file carries beside its bands, if it has one."""
        from rasterio.enums import MaskFlags

        flags = self._dataset.mask_flag_enums[0]
        if MaskFlags.per_dataset not in flags or MaskFlags.alpha in flags:
            return None
        with listening(self._said):
            mask: Valid = self._dataset.read_masks(1, window=place) != 0
        return mask

    def _read(self, bands: Sequence[int], place: Any) -> Values:
        from rasterio.errors import RasterioError

        try:
            with listening(self._said):
                values = self._dataset.read([band + 1 for band in bands], window=place)
        except RasterioError as error:
            raise ValueError(undecodable(self._facts.codec, error)) from None
        return np.ascontiguousarray(np.moveaxis(values, 0, 2))

    def _sample(self, band: int) -> Values:
        def starts(length: int) -> Sequence[int]:
            last = max(0, length - _SAMPLED_PIXELS)
            return sorted({last * i // (_SAMPLED_WINDOWS - 1) for i in range(_SAMPLED_WINDOWS)})

        height, width = self._facts.height, self._facts.width
        parts = [
            self._read(
                (band,),
                (
                    (row, min(height, row + _SAMPLED_PIXELS)),
                    (column, min(width, column + _SAMPLED_PIXELS)),
                ),
            ).ravel()
            for row in starts(height)
            for column in starts(width)
        ]
        return np.concatenate(parts)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._dataset.close()


def open_raster(path: Path, header: Header, *, alpha_is_data: bool = False) -> Raster:
    """Opens a file with rasterio.

    Raises:
        ValueError: GDAL cannot decode it; the message gives the codec and GDAL's reason.
    """
    return Raster(dataset_of(path, header.codec), header, alpha_is_data=alpha_is_data)


def dataset_of(path: Path, codec: str) -> Any:
    """Opens rasterio's dataset of a file.

    Raises:
        ValueError: GDAL cannot decode it; the message gives the codec and GDAL's reason.
    """
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning, RasterioError

    # The facts say it; a warning for each of a thousand files would say no more.
    warnings.filterwarnings("ignore", category=NotGeoreferencedWarning)
    # Never any other of GDAL's formats: some name further files or addresses.
    driver = {"JPEG 2000": "JP2OpenJPEG", "PNG": "PNG"}.get(codec, "GTiff")
    folder = tempfile.TemporaryDirectory() if _is_no_text(path) else None
    try:
        opened = rasterio.open(_linked(path, Path(folder.name)) if folder else path, driver=driver)
    except RasterioError as error:
        raise ValueError(undecodable(codec, error)) from None
    if folder:
        weakref.finalize(opened, folder.cleanup)
    return opened


def _is_no_text(path: Path) -> bool:
    """Whether a path holds bytes that are no UTF-8, which rasterio does not take."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return True
    return False


def _linked(path: Path, folder: Path) -> Path:
    """A link of a plain name to a file, in an empty folder, with links to what lies beside it."""
    for beside in path.parent.glob(f"{glob.escape(path.stem)}.*"):
        end = beside.name[len(path.stem) :]
        if not _is_no_text(Path(end)):
            (folder / f"image{end}").symlink_to(beside.absolute())
    return folder / f"image{path.suffix}"


def undecodable(codec: str, error: Exception) -> str:
    """The reason why GDAL cannot decode a file, after "the file"."""
    reason = str(error.__cause__ or error).splitlines()[0][:200]
    return f"is {codec or 'of an unknown kind'}, but GDAL cannot decode it ({reason})"


def _facts(dataset: Any, header: Header, palette: bool) -> Facts:
    dtypes = sorted(set(dataset.dtypes))
    if len(dtypes) > 1 or dtypes[0].startswith("complex"):
        raise ValueError(
            f"has bands of type {' and '.join(dtypes)}; store one type of real numbers"
        )
    roles = [role.name for role in dataset.colorinterp]
    described = zip(dataset.descriptions, roles, strict=True)
    names = [text or (role if role in (*_COLOURS, "alpha") else "") for text, role in described]
    pages = len(dataset.subdatasets)
    return Facts(
        height=dataset.height,
        width=dataset.width,
        bands=3 if palette else dataset.count,
        names=_COLOURS if palette else tuple(names),
        dtype=dtypes[0],
        nodata=None if dataset.nodata is None else float(dataset.nodata),
        alpha=roles.index("alpha") if "alpha" in roles else None,
        crs=dataset.crs.to_string() if dataset.crs else None,
        transform=None if dataset.transform.is_identity else tuple(dataset.transform)[:6],
        orientation=header.orientation,
        profile=header.profile,
        codec=header.codec,
        warnings=(f"holds {pages} images; only the first is read",) if pages > 1 else (),
    )


def _palette(dataset: Any) -> Values | None:
    """Red, green and blue of every index, (indices, 3), or None without a palette."""
    if dataset.count != 1 or dataset.colorinterp[0].name != "palette":
        return None
    colours = dataset.colormap(1)
    size = max(colours) + 1
    return np.array([colours.get(index, (0, 0, 0))[:3] for index in range(size)], np.uint8)


class _Listener(logging.Handler):
    """Collects the warnings that GDAL gives to rasterio's log in one thread."""

    def __init__(self, words: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._words = words
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        """Keeps the words of this thread; several files are read at once."""
        if record.thread == self._thread:
            self._words.append(f"its decoder says: {record.getMessage()}")


@contextmanager
def listening(words: list[str]) -> Iterator[None]:
    """Collects the words of GDAL's decoders in this thread, and bounds GDAL's memory."""
    import rasterio

    log, listener = logging.getLogger("rasterio"), _Listener(words)
    log.addHandler(listener)
    try:
        # Only within it does GDAL speak to the log.
        with rasterio.Env(GDAL_CACHEMAX=_BLOCK_CACHE):
            yield
    finally:
        log.removeHandler(listener)
