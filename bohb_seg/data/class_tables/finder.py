"""The class table of a data folder, of whichever kind.

``classes.yaml`` at the top is the project's own and wins. Else all tables at the top count, else
all one level below (Roboflow puts one into each part), and so on down to four. Tables that name
the same classes complete each other, with colours from one and indices from another.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bohb_seg.data import classes
from bohb_seg.data.class_tables import (
    colour_map,
    csv_table,
    esri,
    labelmap,
    name_list,
    nnunet,
    structured,
)
from bohb_seg.data.class_tables.ignored import settle
from bohb_seg.data.class_tables.row import Row
from bohb_seg.data.classes import MAX_CLASSES, ClassEntry
from bohb_seg.errors import DataError
from bohb_seg.files import read_regular

_KINDS = (structured, csv_table, labelmap, name_list, esri, nnunet, colour_map)
_BY_SUFFIX: dict[str, Callable[[str], list[Row]]] = {
    ".yaml": structured.read,
    ".yml": structured.read,
    ".json": structured.read,
    ".csv": csv_table.read,
    ".txt": name_list.read,
}
"""Readers of tables with a name of their own, which only ``--classes`` can point at."""

_LEVELS = ("", "*/", "*/*/", "*/*/*/", "*/*/*/*/")
"""Places of tables below the data folder; the first that holds one counts."""


@dataclass(frozen=True)
class FoundTable:
    """A class table and how it was read.

    Args:
        files: The files that it was read from.
        entries: Its classes.
        notes: A sentence for the log about each thing that the table does not say itself.
    """

    files: tuple[Path, ...]
    entries: tuple[ClassEntry, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Tables:
    """The class tables of a data folder.

    Args:
        found: Tables, each of which contradicts each other one; those that agree are one.
        notes: A sentence about each file that only looks like a table by its name.
    """

    found: tuple[FoundTable, ...]
    notes: tuple[str, ...] = ()


def find_tables(root: Path) -> Tables:
    """The class tables of the data folder ``root``.

    Raises:
        DataError: its ``classes.yaml`` is none.
    """
    if (root / classes.FILE_NAME).exists():
        return Tables((read_table(root / classes.FILE_NAME),))
    notes: list[str] = []
    for folder in _LEVELS:
        files = sorted(path for path in root.glob(f"{folder}*") if _reader(path) and path.is_file())
        found: list[FoundTable] = []
        for file in files:
            try:
                _add(found, read_table(file))
            except DataError as error:
                notes.append(f"{error}; it is left out")
        if found:
            return Tables(tuple(found), tuple(notes))
    return Tables((), tuple(notes))


def read_table(file: Path) -> FoundTable:
    """Reads a class table of any kind.

    Raises:
        DataError: the file cannot be read or is no class table.
    """
    reader = _reader(file) or _BY_SUFFIX.get(file.suffix.lower())
    if reader in (structured.read, None):
        try:
            entries = classes.read_file(file)
            # A table in the project's own form says itself what is ignored.
            return FoundTable((file,), *(settle(entries) if len(entries) == 1 else (entries, ())))
        except DataError as error:
            return _foreign(file, reader, error)
    return _foreign(file, reader, None)


def _reader(file: Path) -> Callable[[str], list[Row]] | None:
    name = file.name.lower()
    return next((kind.read for kind in _KINDS if kind.FILES.fullmatch(name)), None)


def _foreign(
    file: Path, reader: Callable[[str], list[Row]] | None, error: DataError | None
) -> FoundTable:
    """Reads a table in the form of another tool; ``error`` is why it is not in the project's."""
    try:
        content = read_regular(file)
    except OSError as failure:
        raise DataError(f"class table {file} cannot be read: {failure.strerror}") from None
    try:
        if reader is None:
            raise ValueError("files of this name are not known")
        entries = _entries(reader(_text(content)))
    except (ValueError, TypeError, RecursionError) as failure:
        raise error or DataError(
            f"class table {file} is not understood: {failure}; write a {classes.FILE_NAME},"
            f" bohb-data classes {file.parent} drafts one"
        ) from None
    entries, notes = settle(entries)
    classes.check(entries, file)
    return FoundTable((file,), entries, notes)


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")  # spreadsheets; any byte is a letter in it


def _entries(rows: Sequence[Row]) -> tuple[ClassEntry, ...]:
    if not 1 <= len(rows) <= MAX_CLASSES + 1:
        raise ValueError(f"it names {len(rows)} classes, of at most {MAX_CLASSES}")
    seen: set[str] = set()
    entries = []
    for row in rows:
        colour = None if row.colour is None else "#{:02X}{:02X}{:02X}".format(*row.colour)
        # With indices a colour is for pictures, where one may occur twice.
        if row.index is not None and colour in seen:
            colour = None
        seen.add(colour or "")
        if not row.name:
            raise ValueError("a class has no name")
        if colour is None and row.index is None:
            raise ValueError(f"class {row.name!r} has neither a colour nor an index")
        if row.index is not None and row.index > 0xFFFF:
            raise ValueError(f"the index {row.index} is above {0xFFFF}")
        entries.append(ClassEntry(name=row.name, colour=colour, index=row.index, ignore=row.ignore))
    return tuple(entries)


def _add(found: list[FoundTable], table: FoundTable) -> None:
    """Adds a table to the first that it agrees with, or behind all."""
    for number, first in enumerate(found):
        if (merged := _merged(first.entries, table.entries)) is not None:
            notes = dict.fromkeys((*first.notes, *table.notes))
            found[number] = FoundTable((*first.files, *table.files), merged, tuple(notes))
            return
    found.append(table)


def _merged(
    ones: Iterable[ClassEntry], others: Iterable[ClassEntry]
) -> tuple[ClassEntry, ...] | None:
    """Two tables as one; None if they contradict each other."""
    mine = {entry.name.casefold(): entry for entry in ones}
    theirs = {entry.name.casefold(): entry for entry in others}
    if mine.keys() != theirs.keys():
        return None
    merged = []
    for name, entry in mine.items():
        other = theirs[name]
        facts = (("index", entry.index, other.index), ("colour", entry.colour, other.colour))
        if any(a != b for _, a, b in facts if a is not None and b is not None):
            return None
        update = {key: b if a is None else a for key, a, b in facts}
        merged.append(entry.model_copy(update={**update, "ignore": entry.ignore or other.ignore}))
    return tuple(merged)
