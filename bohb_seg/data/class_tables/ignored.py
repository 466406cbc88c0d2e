"""Names that mean no class, and tables of a single class.

A class becomes *ignore* if its name, in lower case and without anything but letters, is one of
:data:`NAMES` ("No data", ``__ignore__`` and ``Un-labelled`` are). Where that would leave fewer than
two classes it stays a class: a network must have something to tell it from. A table of one class
and nothing else gets a background: index 0, or black.
"""

import re
from collections.abc import Sequence

from bohb_seg.data.classes import ClassEntry

NAMES = frozenset(
    {
        "unknown", "unlabeled", "unlabelled", "unlabel", "notlabeled", "notlabelled", "unannotated",
        "notannotated", "unclassified", "notclassified", "undefined", "undetermined", "uncertain",
        "void", "ignore", "ignored", "ignoreregion", "dontcare", "invalid", "nodata", "novalue",
        "noclass", "nolabel", "outofroi", "masked", "missing",
    }
)  # fmt: skip
"""Names of classes that do not count."""

Entries = tuple[ClassEntry, ...]


def means_nothing(name: str) -> bool:
    """Whether a class of this name does not count."""
    return re.sub(r"[\W\d_]", "", name.casefold()) in NAMES


def settle(entries: Entries) -> tuple[Entries, tuple[str, ...]]:
    """Marks classes that do not count, and gives a single class a background.

    Returns:
        The entries, and a sentence for the log about each change.
    """
    marked = tuple(
        entry.model_copy(update={"ignore": entry.ignore or means_nothing(entry.name)})
        for entry in entries
    )
    kept = sum(not entry.ignore for entry in marked)
    changed = [new.name for new, old in zip(marked, entries, strict=True) if new != old]
    if changed and kept < 2:
        marked, changed = entries, []
    notes = [f"the class {name} is ignored, because of its name" for name in changed]
    if len(marked) == 1 and not marked[0].ignore:
        marked = (_background(marked), *marked)
        notes.append("the class table names one class; all else is taken as background")
    return marked, tuple(notes)


def _background(entries: Sequence[ClassEntry]) -> ClassEntry:
    (only,) = entries
    colour = "#000000" if only.packed_colour else "#FFFFFF"
    if only.index is None:
        return ClassEntry(name="background", colour=colour)
    return ClassEntry(name="background", index=0 if only.index else 1)
