"""Tables with columns: ``class_dict.csv`` (name,r,g,b) and Roboflow's ``_classes.csv``.

Columns are known by their heading, in any order, in upper or lower case and with spaces; a table of
four columns without a heading is name, red, green, blue.
"""

import csv
import re
from collections.abc import Mapping, Sequence

from bohb_seg.data.class_tables.row import Row, colour_of, whole

FILES = re.compile(r"_?class(es)?([-_ ]?(dict|colou?rs?|table|names?|map))?.*\.csv|label.*\.csv")

_HEADINGS: Mapping[str, frozenset[str]] = {
    "name": frozenset({"name", "class", "label", "classname", "labelname", "category"}),
    "index": frozenset({"pixelvalue", "value", "index", "id", "classid", "labelid", "pixel"}),
    "red": frozenset({"r", "red"}),
    "green": frozenset({"g", "green"}),
    "blue": frozenset({"b", "blue"}),
    "colour": frozenset({"colour", "color", "hex", "rgb", "colorrgb"}),
}
_WITHOUT_HEADING = ("name", "red", "green", "blue")


def read(text: str) -> list[Row]:
    """Reads the table.

    Raises:
        ValueError: it is none; the message gives the reason.
    """
    lines = [line for line in text.splitlines() if line.strip(" ,;\t")]
    delimiter = max(",;\t", key=lines[0].count) if lines else ","
    cells = [[cell.strip() for cell in row] for row in csv.reader(lines, delimiter=delimiter)]
    if not cells:
        raise ValueError("it is empty")
    columns = [_column(heading) for heading in cells[0]]
    if "name" in columns and len(set(columns)) > 1:
        return [_row(columns, row) for row in cells[1:]]
    if len(cells[0]) == len(_WITHOUT_HEADING) and cells[0][1].isdigit():
        return [_row(_WITHOUT_HEADING, row) for row in cells]
    raise ValueError("its first line must name the columns, like name,r,g,b")


def _column(heading: str) -> str:
    plain = re.sub(r"[^a-z]", "", heading.lower())
    return next((name for name, known in _HEADINGS.items() if plain in known), "")


def _row(columns: Sequence[str], cells: Sequence[str]) -> Row:
    # From the last to the first, because the first of two columns of one kind is the one meant.
    found = dict(reversed(list(zip(columns, cells, strict=False))))
    colour = None
    if {"red", "green", "blue"} <= found.keys():
        colour = colour_of([found["red"], found["green"], found["blue"]])
    elif found.get("colour"):
        colour = colour_of(found["colour"])
    index = whole(found["index"]) if found.get("index") else None
    return Row(found.get("name", ""), index, colour)
