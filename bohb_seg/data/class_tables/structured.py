"""``classes.yml``, ``classes.yaml`` and ``classes.json`` as other tools write them.

A list of names (the place is the index), a list of entries, or a mapping: of names to colours or
indices, or of indices to names. It may lie below a key ``classes``, ``names`` or ``labels``.
"""

import re
from typing import Any

import yaml

from bohb_seg.data.class_tables.row import Row, colour_of, whole

FILES = re.compile(r"classes\.(yml|yaml|json)|class[-_]?names\.(yml|yaml|json)")

_WRAPPERS = ("classes", "names", "labels")
_NAMES = ("name", "title", "label", "class")
_COLOURS = ("colour", "color", "rgb", "hex")
_INDICES = ("index", "value", "id", "pixel_value")
_OTHERS = (
    "shape", "geometry_type", "geometry_config", "hotkey", "description", "supercategory", "type",
    "category", "catid", "trainid", "hasinstances", "ignoreineval", "attributes", "hidden",
)  # fmt: skip
"""Keys that tools write beside; any other key is taken for a misspelt one."""


def read(text: str) -> list[Row]:
    """Reads the table.

    Raises:
        ValueError: it is none; the message gives the reason.
    """
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError:
        raise ValueError("it is neither YAML nor JSON") from None
    while isinstance(content, dict) and (key := _wrapper(content)):
        content = content[key]
    if isinstance(content, dict):
        return [_pair(key, value) for key, value in content.items()]
    if isinstance(content, list):
        return [_entry(number, value) for number, value in enumerate(content)]
    raise ValueError("it holds no list of classes")


def _wrapper(content: dict[Any, Any]) -> str | None:
    return next((key for key in _WRAPPERS if isinstance(content.get(key), list | dict)), None)


def _pair(key: object, value: object) -> Row:
    if isinstance(key, int) or str(key).isdigit():
        if isinstance(value, dict):
            return _entry(whole(key), {**value, "index": value.get("index", key)})
        return Row(str(value), whole(key))
    if isinstance(value, dict):
        return _entry(None, {"name": key, **value})
    if isinstance(value, int):
        return Row(str(key), whole(value))
    return Row(str(key), colour=colour_of(value))


def _entry(number: int | None, value: object) -> Row:
    if not isinstance(value, dict):
        return Row(str(value), number)
    fields = {str(key).lower(): each for key, each in value.items()}
    if strange := fields.keys() - {*_NAMES, *_COLOURS, *_INDICES, *_OTHERS, "ignore"}:
        raise ValueError(f"an entry has the unknown key {min(strange)!r}")
    name, colour, index = (_first(fields, keys) for keys in (_NAMES, _COLOURS, _INDICES))
    if name is None:
        raise ValueError(f"an entry has no name: {value!r:.60}")
    return Row(
        str(name),
        None if index is None else whole(index),
        None if colour is None else colour_of(colour),
        bool(fields.get("ignore", False)),
    )


def _first(fields: dict[str, Any], keys: tuple[str, ...]) -> Any:
    return next((fields[key] for key in keys if fields.get(key) is not None), None)
