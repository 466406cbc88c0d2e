"""nnU-Net's ``dataset.json``: ``labels`` of names and values; in its first version the other way.

Its label ``ignore`` does not count. Labels that are regions (lists of values) overlap each other,
and are not for one mask.
"""

import json
import re
from typing import Any

from bohb_seg.data.class_tables.row import Row, whole

FILES = re.compile(r"dataset\.json")


def read(text: str) -> list[Row]:
    """Reads the table.

    Raises:
        ValueError: it is none; the message gives the reason.
    """
    content = json.loads(text)
    labels = content.get("labels") if isinstance(content, dict) else None
    if not isinstance(labels, dict):
        raise ValueError('it has no "labels" of names and values')
    return [_row(*pair) for pair in labels.items()]


def _row(name: str, value: Any) -> Row:
    if isinstance(value, str) and name.isdigit():
        name, value = value, name
    if isinstance(value, list):
        raise ValueError(f"the label {name!r} is a region of several values; give each its own")
    return Row(name, whole(value), ignore=name == "ignore")
