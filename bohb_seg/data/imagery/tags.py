"""Headers of image files: what decoders keep to themselves (codec, orientation, profile, end)."""

import contextlib
import os
import re
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO

_CODECS = {
    1: "uncompressed", 2: "CCITT RLE", 3: "CCITT fax 3", 4: "CCITT fax 4", 5: "LZW", 6: "old JPEG",
    7: "JPEG", 8: "deflate", 32773: "PackBits", 32946: "deflate", 33003: "JPEG 2000",
    33004: "JPEG 2000", 33005: "JPEG 2000", 34712: "JPEG 2000", 34887: "LERC",
    34676: "SGI LogLuv", 34677: "SGI LogLuv",
    34892: "lossy JPEG",
    34925: "LZMA", 50000: "ZSTD", 50001: "WebP", 50002: "JPEG XL", 52546: "JPEG XL",
}  # fmt: skip
_FORMATS = {1: "c", 2: "c", 3: "H", 4: "I", 7: "c", 12: "d", 13: "I", 16: "Q", 18: "Q"}
_MOST_VALUES = 1 << 26
_COMPRESSION, _PHOTOMETRIC, _STRIPS, _ORIENTATION, _SAMPLES, _STRIP_BYTES = (
    259, 262, 273, 274, 277, 279)  # fmt: skip
_TILES, _TILE_BYTES, _EXTRA_SAMPLES, _PROFILE, _NODATA = 324, 325, 338, 34675, 42113
_PIXEL_SCALE, _TIE_POINT, _TRANSFORMATION = 33550, 33922, 34264

_WANTED = frozenset(
    {_COMPRESSION, _PHOTOMETRIC, _STRIPS, _ORIENTATION, _SAMPLES, _STRIP_BYTES, _TILES, _TILE_BYTES,
     _EXTRA_SAMPLES, _PROFILE, _NODATA, _PIXEL_SCALE, _TIE_POINT, _TRANSFORMATION}
)  # fmt: skip
_MOST_CHUNK_BYTES = 1 << 24
_LOGARITHMS = frozenset({34676, 34677})
_PLAIN = frozenset({1, 5, 8, 32773, 32946}) | _LOGARITHMS

Tags = Mapping[int, tuple[float | bytes, ...]]


@dataclass(frozen=True)
class Header:
    """Facts of a header.

    Args:
        codec: Container and compression; "" if the file is of no known kind.
        orientation: EXIF orientation, 1 to 8.
        profile: Name of the colour profile, "" for one without a name, or None.
        cut_off: Whether the file ends before its data do.
        plain: Whether OpenCV reads it as stored: TIFFs without a rare codec, orientation,
            nodata or alpha and with at most 3 bands, and all other files.
        inverted: Whether 0 is white (TIFF).
        logarithms: Whether it holds logarithms; OpenCV makes floats of them, GDAL does not (TIFF).
        transform: Affine coefficients a, b, c, d, e, f from (column, row) to coordinates, as its
            GeoTIFF tags say, or None.
    """

    codec: str = ""
    orientation: int = 1
    profile: str | None = None
    cut_off: bool = False
    plain: bool = True
    inverted: bool = False
    logarithms: bool = False
    transform: tuple[float, ...] | None = None


def read_header(file: BinaryIO) -> Header:
    """Reads the header of an image file; damaged ones give fewer facts, never an error."""
    size = os.fstat(file.fileno()).st_size
    head = file.read(16)
    try:
        if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
            return _tiff(file, size)
        if head.startswith(b"\xff\xd8"):
            return _from_pieces("JPEG", _jpeg_pieces(file), "")
        if head.startswith(b"\x89PNG"):
            return _from_pieces("PNG", _chunks(file, 8, ">I4s", 4), "eXIf iCCP")
        if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
            cut = int.from_bytes(head[4:8], "little") + 8 > size
            return _from_pieces("WebP", _chunks(file, 12, "<4sI", 0), "EXIF ICCP", cut)
    except (struct.error, ValueError, TypeError, OverflowError, IndexError):
        pass
    return Header(codec=_other(head))


def _other(head: bytes) -> str:
    known = {b"II*\0": "TIFF", b"II+\0": "TIFF", b"MM\0": "TIFF",
             b"RIFF": "WebP", b"\xff\xd8": "JPEG", b"\x89PNG": "PNG",
             b"\0\0\0\x0cjP": "JPEG 2000", b"\xff\x4f\xff\x51": "JPEG 2000", b"BM": "BMP",
             b"GIF8": "GIF", b"\xff\x0a": "JPEG XL", b"\x76\x2f\x31\x01": "OpenEXR",
             b"\x89HDF": "HDF5", b"CDF": "NetCDF"}  # fmt: skip
    if head[4:8] == b"ftyp":
        return {b"avif": "AVIF", b"heic": "HEIC"}.get(head[8:12], "HEIF")
    if re.match(rb"P[1-7fF]\s", head):
        return "PNM"
    return next((name for start, name in known.items() if head.startswith(start)), "")


def _from_pieces(
    codec: str, pieces: Iterator[tuple[str, bytes]], names: str, cut_off: bool = False
) -> Header:
    exif, icc = names.split() if names else ("exif", "icc")
    orientation, profile = 1, None
    for name, content in pieces:
        if name == exif:
            orientation = _exif_orientation(content)
        elif name == icc:
            profile = _profile_name(content)
    return Header(codec, orientation, profile, cut_off)


def _jpeg_pieces(file: BinaryIO) -> Iterator[tuple[str, bytes]]:
    file.seek(2)
    while True:
        marker = file.read(4)
        if len(marker) < 4 or marker[0] != 0xFF or marker[1] in (0xD9, 0xDA):
            return
        content = file.read(int.from_bytes(marker[2:]) - 2)
        if content.startswith(b"Exif\0\0"):
            yield "exif", content[6:]
        elif content.startswith(b"ICC_PROFILE\0"):
            yield "icc", content[14:]


def _chunks(file: BinaryIO, start: int, form: str, trailer: int) -> Iterator[tuple[str, bytes]]:
    """The chunks of PNG and RIFF; only what is small is read."""
    file.seek(start)
    while len(head := file.read(8)) == 8:
        first, second = struct.unpack(form, head)
        name, size = (second, first) if isinstance(second, bytes) else (first, second)
        padding = size % 2 if not trailer else 0
        content = file.read(size) if size <= _MOST_CHUNK_BYTES and name != b"IDAT" else b""
        file.seek(size - len(content) + trailer + padding, os.SEEK_CUR)
        yield name.decode("latin-1"), content


def _exif_orientation(exif: bytes) -> int:
    exif = exif.removeprefix(b"Exif\0\0")
    order = "<" if exif.startswith(b"II") else ">"
    (start,) = struct.unpack_from(order + "I", exif, 4)
    (count,) = struct.unpack_from(order + "H", exif, start)
    for number in range(count):
        tag, _, _, value = struct.unpack_from(order + "HHIH", exif, start + 2 + 12 * number)
        if tag == _ORIENTATION:
            return value if 1 <= value <= 8 else 1
    return 1


def _profile_name(profile: bytes) -> str:
    """A name in an ICC profile; PNG compresses the profile and gives it a name of its own."""
    own, _, rest = profile.partition(b"\0")
    compressed = profile[36:40] != b"acsp"
    if compressed:
        with contextlib.suppress(zlib.error):
            profile = zlib.decompressobj().decompress(rest[1:], _MOST_CHUNK_BYTES)
    # Newer profiles write their names with two bytes a letter.
    found = re.search(rb"sRGB|Adobe RGB|Display P3|ProPhoto", profile.replace(b"\0", b""))
    if found:
        return found[0].decode()
    return own.decode("latin-1") if compressed else ""


def _tiff(file: BinaryIO, size: int) -> Header:
    tags = _tiff_tags(file)
    codec = int(_first(tags, _COMPRESSION, 1))
    places = tags.get(_TILES) or tags.get(_STRIPS) or ()
    lengths = tags.get(_TILE_BYTES) or tags.get(_STRIP_BYTES) or ()
    ends = (int(a) + int(n) for a, n in zip(places, lengths, strict=False))
    samples = int(_first(tags, _SAMPLES, 1))
    orientation = int(_first(tags, _ORIENTATION, 1))
    profile = tags.get(_PROFILE)
    return Header(
        codec=f"TIFF ({_CODECS.get(codec, f'compression {codec}')})",
        orientation=orientation if 1 <= orientation <= 8 else 1,
        profile=None if profile is None else _profile_name(b"".join(profile)),  # type: ignore[arg-type]
        cut_off=max(ends, default=0) > size,
        # OpenCV turns TIFFs whatever one asks of it.
        plain=codec in _PLAIN
        and samples <= 3
        and orientation == 1
        and not {_EXTRA_SAMPLES, _NODATA} & tags.keys(),
        inverted=_first(tags, _PHOTOMETRIC, 1) == 0,
        logarithms=codec in _LOGARITHMS,
        transform=_transform(tags),
    )


def _transform(tags: Tags) -> tuple[float, ...] | None:
    """The place of an image by a pixel's size and one point, or by a matrix."""
    scale, point, matrix = (
        [float(number) for number in tags.get(tag, ()) if not isinstance(number, bytes)]
        for tag in (_PIXEL_SCALE, _TIE_POINT, _TRANSFORMATION)
    )
    if len(scale) >= 2 and len(point) >= 6 and scale[0] and scale[1]:
        column, row, _, x, y, _ = point[:6]
        return scale[0], 0.0, x - column * scale[0], 0.0, -scale[1], y + row * scale[1]
    if len(matrix) == 16:
        return matrix[0], matrix[1], matrix[3], matrix[4], matrix[5], matrix[7]
    return None


def _first(tags: Tags, tag: int, default: int) -> float:
    value = tags.get(tag, (default,))[0]
    return default if isinstance(value, bytes) else value


def _tiff_tags(file: BinaryIO) -> Tags:
    """The tags of the first image of a TIFF or BigTIFF."""
    file.seek(0)
    head = file.read(16)
    order, big = "<" if head.startswith(b"II") else ">", b"+" in head[:4]
    word, count_form, entry = ("Q", "Q", 20) if big else ("I", "H", 12)
    file.seek(struct.unpack_from(order + word, head, 8 if big else 4)[0])
    (count,) = struct.unpack(order + count_form, file.read(struct.calcsize(count_form)))
    entries = file.read(min(count, 1 << 16) * entry)
    tags: dict[int, tuple[float | bytes, ...]] = {}
    for at in range(0, len(entries) - entry + 1, entry):
        tag, kind, number = struct.unpack_from(order + "HH" + word, entries, at)
        if tag not in _WANTED or kind not in _FORMATS or number > _MOST_VALUES:
            continue
        form = f"{order}{number}{_FORMATS[kind]}"
        content = entries[at + entry - (8 if big else 4) : at + entry]
        if struct.calcsize(form) > len(content):
            file.seek(struct.unpack_from(order + word, content)[0])
            content = file.read(struct.calcsize(form))
        tags[tag] = struct.unpack_from(form, content)
    return tags
