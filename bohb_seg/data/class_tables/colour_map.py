"""Colour maps that QGIS exports: a line ``value,red,green,blue,alpha,label`` for each class."""

import re

from bohb_seg.data.class_tables.row import Row, colour_of, whole

FILES = re.compile(r".*colou?r_?-?map.*\.txt|.*\.clr")

_SPLIT = re.compile(r"[,;\t ]+")


def read(text: str) -> list[Row]:
    """Reads the table; ``.clr`` files of ArcGIS have no alpha and mostly no label.

    Raises:
        ValueError: it is none; the message gives the reason.
    """
    rows = []
    for line in text.splitlines():
        if not line.strip() or line.startswith(("#", "INTERPOLATION")):
            continue
        cells = _SPLIT.split(line.strip(), maxsplit=5 if "," in line else 4)
        if len(cells) < 4:
            raise ValueError(f"the line {line!r} is not value,red,green,blue,alpha,label")
        index = whole(cells[0])
        label = cells[-1] if len(cells) > 4 and not cells[-1].isdigit() else ""
        rows.append(Row(label.strip() or f"class {index}", index, colour_of(cells[1:4])))
    return rows
