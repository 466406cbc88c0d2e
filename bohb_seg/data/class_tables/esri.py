"""ArcGIS model definitions ``*.emd``: JSON with ``Classes`` of ``Value``, ``Name``, ``Color``."""

import json
import re
from typing import Any

from bohb_seg.data.class_tables.row import Row, colour_of, whole

FILES = re.compile(r".*\.emd")


def read(text: str) -> list[Row]:
    """Reads the table.

    Raises:
        ValueError: it is none; the message gives the reason.
    """
    content = json.loads(text)
    classes = _lower(content).get("classes") if isinstance(content, dict) else None
    if not isinstance(classes, list) or not all(isinstance(each, dict) for each in classes):
        raise ValueError("it has no list Classes")
    return [_row(_lower(each)) for each in classes]


def _row(entry: dict[str, Any]) -> Row:
    colour = entry.get("color")
    return Row(
        str(entry.get("name", "")),
        whole(entry["value"]) if "value" in entry else None,
        None if colour is None else colour_of(colour),
    )


def _lower(entry: dict[str, Any]) -> dict[str, Any]:
    return {str(key).lower(): value for key, value in entry.items()}
