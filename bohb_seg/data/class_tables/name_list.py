"""Lists of names, a line each, whose number from 0 is the index: ``class_names.txt``.

Labelme writes ``__ignore__`` first, which has no number of its own but 255, and ``_background_``.
Lines may begin with the index instead, as in ``0 background`` or ``0: background``.
"""

import re

from bohb_seg.data.class_tables.row import Row

FILES = re.compile(r"(class_?names?|classes|codes|labels)\.txt")

_IGNORED = "__ignore__"
_IGNORED_INDEX = 255
_FILE = re.compile(r".*\.(png|tiff?|jpe?g|txt|json|bmp)", re.IGNORECASE)
_NUMBERED = re.compile(r"(\d+)(?:\s*[:,;=\t]\s*|\s+)(\S.*)")


def read(text: str) -> list[Row]:
    """Reads the table.

    Raises:
        ValueError: it is none; the message gives the reason.
    """
    names = [line.strip() for line in text.splitlines() if line.strip()]
    if any(map(_FILE.fullmatch, names)):
        raise ValueError("it lists files, not classes")
    numbered = [_NUMBERED.fullmatch(name) for name in names]
    if names and all(numbered):
        return [Row(found[2].strip(), int(found[1])) for found in numbered if found]
    first = [Row(_IGNORED, _IGNORED_INDEX, ignore=True)] if names[:1] == [_IGNORED] else []
    return first + [
        Row("background" if name == "_background_" else name, index)
        for index, name in enumerate(names[len(first) :])
    ]
