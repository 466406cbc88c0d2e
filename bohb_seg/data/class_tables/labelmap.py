"""CVAT's ``labelmap.txt``: a line ``label:color_rgb:parts:actions`` for each class."""

import re

from bohb_seg.data.class_tables.row import Row, colour_of

FILES = re.compile(r"label_?map\.txt")


def read(text: str) -> list[Row]:
    """Reads the table.

    Raises:
        ValueError: it is none; the message gives the reason.
    """
    rows = []
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            name, _, rest = line.partition(":")
            rows.append(Row(name.strip(), colour=colour_of(rest.partition(":")[0])))
    return rows
