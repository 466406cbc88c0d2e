"""Names of classes in files of shapes, and the labels that they stand for.

What no shape covers becomes the class named *background* (else the one named *unlabelled* or the
like), and is ignored where the class table has no such class. A table that is made from the names
alone gets a background if the tool means one: COCO, Labelme and Label Studio mark objects, so all
else is background; polygons of land cover say nothing about the ground between them, unless they
are of a single class, which could be told from nothing else.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

from bohb_seg.data.class_tables.ignored import means_nothing
from bohb_seg.data.classes import ClassEntry
from bohb_seg.data.masks import MaskCode
from bohb_seg.errors import printable
from bohb_seg.trials import IGNORE

BACKGROUND = "background"
"""Name of the class that a table made of names gets for what no shape covers."""
_BACKGROUND_NAMES = frozenset({"background", "bg", "back ground"})


def labels_of(names: Iterable[str], code: MaskCode) -> Mapping[str, int]:
    """The labels of those names that the class table knows.

    A name counts whatever its case and separators; a number that is no name is an index. A single
    unknown name is the single class beside the background.
    """
    names = tuple(names)
    by_name = {_folded(name): label for name, label in code.by_name}
    by_index = dict(code.by_index)
    found = {}
    for name in names:
        index = int(name) if re.fullmatch(r"\d{1,5}", name) else None
        label = by_name.get(_folded(name))
        label = by_index.get(index) if label is None and index is not None else label
        if label is not None:
            found[name] = label
    others = [label for name, label in code.by_name if not _is_background(name)]
    if not found and len(set(names)) == len(code.by_name) - 1 == len(others) == 1:
        return {names[0]: others[0]}
    return found


def rest_label(code: MaskCode) -> int:
    """The label of what no shape covers."""
    for is_rest in (_is_background, means_nothing):
        for name, label in code.by_name:
            if is_rest(name):
                return label
    return IGNORE


def with_background(names: Sequence[str], *, of_objects: bool) -> tuple[str, ...]:
    """The names of the classes, a background before them if there must be one.

    Args:
        names: Names in a file of shapes.
        of_objects: Whether the tool marks objects, so that all else is background.
    """
    distinct = {_folded(name): name for name in reversed(names) if name}
    ordered = [name for name in dict.fromkeys(names) if distinct.get(_folded(name)) == name]
    kept = [name for name in ordered if not means_nothing(name)]
    if any(map(_is_background, ordered)) or not (of_objects or len(kept) == 1):
        return tuple(ordered)
    return (BACKGROUND, *ordered)


def entries_for_names(names: Sequence[str]) -> tuple[ClassEntry, ...]:
    """A class table for labels that are shapes: indices from 1 on, the background is 0."""
    background = [name for name in names if _is_background(name)][:1]
    others = [name for name in names if name not in background]
    numbered = [*((0, name) for name in background), *enumerate(others, start=1)]
    return tuple(
        ClassEntry(name=printable(name), index=index, ignore=means_nothing(name))
        for index, name in numbered
    )


def _is_background(name: str) -> bool:
    return _folded(name) in _BACKGROUND_NAMES


def _folded(name: str) -> str:
    return re.sub(r"[\W_]+", " ", name.casefold()).strip()
