"""Masks read by rows through rasterio: those that are large, warped, or of a rare type."""

from typing import Any, Self

import numpy as np
import numpy.typing as npt

from bohb_seg.data.imagery.alignment import Dataset
from bohb_seg.data.imagery.facts import Facts
from bohb_seg.data.imagery.geotiff import listening, undecodable
from bohb_seg.data.imagery.tags import Header
from bohb_seg.data.mask_reading.containers import LOSSY_CODECS, RawMask, Values

_AT_ONCE, _MOST_AT_ONCE = 1 << 21, 12_000_000
"""Pixels that are read at once, and at most for the sake of the file's blocks."""
_RARE_TYPES = frozenset({"int64", "uint64"})
_HALF_FLOAT_BITS = 16

Clear = npt.NDArray[np.bool_]


class MaskRows:
    """An opened mask; one thread at a time may read from it.

    Args:
        source: The file, or a view of it on another grid.
    """

    def __init__(self, source: Dataset) -> None:
        self._source, self._dataset = source, source.dataset
        self._said: list[str] = []
        self.facts = _facts(self._dataset)
        self._has_own_mask = _has_own_mask(self._dataset)
        tags = self._dataset.tags(1, ns="IMAGE_STRUCTURE")
        self._bits = int(tags.get("NBITS", 8))
        palette, clear = _palette(self._dataset, source.header)
        self._like = RawMask(
            np.empty((0, 0)),
            bits=min(8, self._bits),
            palette=palette,
            nodata=(*clear, *_nodata(source)),
            lossy=source.header.codec in LOSSY_CODECS,
        )

    @property
    def is_rare(self) -> bool:
        """Whether nothing else reads the file rightly: a rare type, or a mask within the mask."""
        halves = self.facts.dtype == "float32" and self._bits == _HALF_FLOAT_BITS
        return self.facts.dtype in _RARE_TYPES or halves or self._has_own_mask

    @property
    def step(self) -> int:
        """Rows to read at once: whole blocks, so that none is decoded twice, if they are small."""
        block = int(self._dataset.block_shapes[0][0])
        wanted = max(1, _AT_ONCE // self.facts.width)
        if block * self.facts.width > _MOST_AT_ONCE:
            return wanted  # GDAL keeps the block, be it the whole file
        return min(block * max(1, wanted // block), self.facts.height)

    @property
    def said(self) -> tuple[str, ...]:
        """Sentences of the decoder so far."""
        return tuple(dict.fromkeys(self._said))

    def read(self, first: int, count: int) -> RawMask:
        """Reads some rows, over the whole width.

        Raises:
            ValueError: they cannot be decoded, or are no mask; the message gives the reason.
        """
        from rasterio.errors import RasterioError

        place = (first, first + count), (0, self.facts.width)
        clear: Clear | None = None
        try:
            with listening(self._said):
                bands = self._dataset.read(window=place)
                if self._has_own_mask:
                    clear = self._dataset.read_masks(1, window=place) == 0
        except RasterioError as error:
            raise ValueError(undecodable(self._source.header.codec, error)) from None
        if self._source.reach:
            clear, bands = bands[-1] == 0, bands[:-1]
        return self._raw(bands, clear)

    def _raw(self, bands: Values, clear: Clear | None) -> RawMask:
        if len(bands) > 4:  # colours and alpha
            raise ValueError(f"has {len(bands)} bands; a mask has one, or three of colours")
        if len(bands) in (2, 4):
            hidden = bands[-1] == 0
            clear, bands = hidden if clear is None else clear | hidden, bands[:-1]
        if self._source.header.inverted and bands.dtype == np.uint8:
            bands = np.uint8(2 ** min(8, self._bits) - 1) - bands  # as all other readers show it
        values = bands[0] if len(bands) == 1 else np.moveaxis(bands, 0, 2)
        like = self._like
        return RawMask(values, like.bits, like.palette, clear, like.nodata, like.lossy)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._source.close()


def _facts(dataset: Any) -> Facts:
    dtypes = sorted(set(dataset.dtypes))
    if len(dtypes) > 1 or dtypes[0].startswith("complex"):
        raise ValueError(f"has values of type {' and '.join(dtypes)}; save it as 8-bit indices")
    return Facts(
        height=dataset.height,
        width=dataset.width,
        bands=dataset.count,
        names=("",) * dataset.count,
        dtype=dtypes[0],
        crs=dataset.crs.to_string() if dataset.crs else None,
        transform=None if dataset.transform.is_identity else tuple(dataset.transform)[:6],
    )


def _has_own_mask(dataset: Any) -> bool:
    from rasterio.enums import MaskFlags

    flags = dataset.mask_flag_enums[0]
    return MaskFlags.per_dataset in flags and MaskFlags.alpha not in flags


def _nodata(source: Dataset) -> tuple[float, ...]:
    if source.nodata is None:
        return ()
    if source.header.codec == "PNG" and source.dataset.count > 2:  # a colour key
        red, green, blue = map(int, source.dataset.nodatavals[:3])
        return (red << 16 | green << 8 | blue,)
    return (float(source.nodata),)


def _palette(dataset: Any, header: Header) -> tuple[tuple[int, ...] | None, list[float]]:
    """Colours 0xRRGGBB of a palette, None without one, and the entries that are transparent."""
    # GDAL gives files in which 0 is white a palette of its own making.
    if dataset.colorinterp[0].name != "palette" or header.inverted:
        return None, []
    colours = dataset.colormap(1)
    if len(colours) == 2 and header.codec != "PNG":  # one bit: no palette, either
        return None, []
    entries = [colours.get(index, (0, 0, 0, 255)) for index in range(max(colours) + 1)]
    packed = tuple(red << 16 | green << 8 | blue for red, green, blue, _ in entries)
    return packed, [float(index) for index, entry in enumerate(entries) if entry[3] == 0]
