"""Polygons from well-known binary, the form in which every vector format hands geometries on."""

import struct
from collections.abc import Iterator

import numpy as np

from bohb_seg.data.imagery.polygons import Polygon, Ring

_POLYGON, _MULTI_POLYGON, _COLLECTION = 3, 6, 7
_HAS_Z, _HAS_M, _HAS_SRID = 1 << 31, 1 << 30, 1 << 29


def polygons(content: bytes) -> list[Polygon]:
    """The polygons of a geometry, none for points and lines.

    Raises:
        ValueError: it is no well-known binary, or holds curves.
    """
    try:
        return list(_Reader(content).geometry())
    except struct.error:
        raise ValueError("a geometry is cut off") from None


class _Reader:
    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0

    def geometry(self) -> Iterator[Polygon]:
        order = "<" if self._take("B") else ">"
        kind = int(self._take(order + "I"))
        dimensions = 2 + bool(kind & _HAS_Z) + bool(kind & _HAS_M)
        if kind & _HAS_SRID:
            self._take(order + "I")
        kind &= 0xFFFF
        dimensions += (0, 1, 1, 2)[kind // 1000 % 4]
        kind %= 1000
        if kind == _POLYGON:
            count = int(self._take(order + "I"))
            yield [self._ring(order, dimensions) for _ in range(count)]
        elif kind in (_MULTI_POLYGON, _COLLECTION):
            for _ in range(int(self._take(order + "I"))):
                yield from self.geometry()
        elif kind == 1:
            self._at += 8 * dimensions
        elif kind == 2:
            self._ring(order, dimensions)
        elif kind in (4, 5):
            for _ in range(int(self._take(order + "I"))):
                list(self.geometry())
        else:
            raise ValueError("a geometry holds curves; convert them to polygons")

    def _take(self, form: str) -> int:
        (value,) = struct.unpack_from(form, self._content, self._at)
        self._at += struct.calcsize(form)
        return int(value)

    def _ring(self, order: str, dimensions: int) -> Ring:
        count = self._take(order + "I")
        size = count * dimensions * 8
        if self._at + size > len(self._content):
            raise ValueError("a geometry is cut off")
        values = np.frombuffer(self._content, order + "f8", count * dimensions, self._at)
        self._at += size
        return values.reshape(count, dimensions)[:, :2].astype(np.float64)
