"""The class table that counts for a data folder: named, its own, found, or the Dubai data set's.

``--classes`` wins, then ``classes.yaml`` of the folder. Of tables in other forms the one that names
the most pixels of a few masks counts, because some data sets bring one whose colours no mask uses.
The colours of the Dubai data set are known without a table; else each value is a class. Where a
table of colours stands beside masks of one band, its rows are the indices from 0 on, if they name
more of the pixels so.
"""

import contextlib
import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from bohb_seg.data.class_tables import draft
from bohb_seg.data.class_tables.finder import FoundTable, find_tables, read_table
from bohb_seg.data.classes import DUBAI, FILE_NAME, ClassEntry
from bohb_seg.data.mask_reading.containers import unpack
from bohb_seg.data.mask_reading.reading import read_mask
from bohb_seg.data.masks import mask_code
from bohb_seg.errors import DataError
from bohb_seg.files import read_regular

MOST_SAMPLES = 32
"""Masks that tables are tried on, evenly over all."""
MOST_PIXELS = 1 << 25
"""Pixels of these masks together, but for the first: about a second's work."""
LARGEST_PIXELS = 1 << 26
"""Pixels of a mask that is tried; larger ones are decoded once, later."""
LARGEST_BYTES = 1 << 28
"""Bytes of its file."""
ENOUGH = 0.5
"""Share of the pixels from which on masks are in the colours of the Dubai data set, of which none
is common; the audit then tells what else they hold."""

_DUBAI = FoundTable((), DUBAI)


def table_for(root: Path, file: Path | None, masks: Sequence[Path], preset: str) -> FoundTable:
    """The class table of a data set.

    Args:
        root: The data folder.
        file: The value of ``--classes``, or None.
        masks: The mask files.
        preset: ``milestone3`` takes the Dubai data set's where there is none, whatever the masks
            hold, as the Milestone 3 reports did (docs/origin.md).

    Raises:
        DataError: a table cannot be read, several fit equally well, or there is none and the masks
            hold too many values.
    """
    if file is not None:
        return read_table(file)
    tables = find_tables(root)
    if [table.files for table in tables.found] == [(root / FILE_NAME,)]:
        return tables.found[0]  # the project's own is meant, whatever the masks hold
    chosen = _chosen(root, tables.found, samples(masks), preset)
    return FoundTable(chosen.files, chosen.entries, (*tables.notes, *chosen.notes))


def share_named(entries: tuple[ClassEntry, ...], masks: Sequence[bytes]) -> float:
    """Share of the pixels of some masks that a table names, 0..1; files that are none do not count.

    Args:
        entries: The table.
        masks: Contents of the mask files.
    """
    code = mask_code(entries, "default")
    unknown, total = 0, 0
    for content in masks:
        try:
            mask = read_mask(content, code)
        except ValueError:
            continue
        unknown += sum(mask.unknown.values())
        total += mask.labels.size
    return 1 - unknown / max(1, total)


def samples(masks: Sequence[Path]) -> list[bytes]:
    """Contents of a few masks that are not too large, evenly over all."""
    picked = np.linspace(0, len(masks) - 1, min(MOST_SAMPLES, len(masks))).round().astype(int)
    contents: list[bytes] = []
    pixels = 0
    for number in picked:
        try:
            content = read_regular(masks[number], LARGEST_BYTES)
        except OSError:
            continue  # told when it is decoded
        size = _pixels(content)
        if size <= LARGEST_PIXELS and (not contents or pixels + size <= MOST_PIXELS):
            contents.append(content)
            pixels += size
    return contents


def _pixels(content: bytes) -> int:
    """Number of pixels, as the head of the file says; 0 if it is not understood."""
    Image.MAX_IMAGE_PIXELS = None  # a guard of web sites
    try:
        with Image.open(io.BytesIO(content)) as file:
            return file.width * file.height
    except (OSError, SyntaxError, ValueError, TypeError, KeyError, EOFError):
        return 0


def _chosen(
    root: Path, found: Sequence[FoundTable], masks: Sequence[bytes], preset: str
) -> FoundTable:
    if not masks and found:
        return _only(found)
    found = [_by_rows(table, masks) or table for table in found]
    shares = [share_named(table.entries, masks) for table in found]
    best = max(shares, default=0.0)
    known = share_named(DUBAI, masks)  # 1 without evidence: then decoding tells
    if known > best and known >= ENOUGH:
        best, winner = known, _DUBAI
    elif found:
        winner = _only([table for table, share in zip(found, shares, strict=True) if share == best])
    elif preset == "milestone3":
        return _DUBAI
    else:
        return _provisional(root, masks)
    notes = (
        f"the class table {', '.join(map(str, table.files))} is left out: it names {share:.0%} of"
        f" the mask pixels, {', '.join(map(str, winner.files)) or 'the Dubai data set'} {best:.0%}"
        for table, share in zip(found, shares, strict=True)
        if table is not winner
    )
    return FoundTable(winner.files, winner.entries, (*winner.notes, *notes))


def _by_rows(table: FoundTable, masks: Sequence[bytes]) -> FoundTable | None:
    """A table of colours with its rows as indices; None if its colours name as much.

    Only equal values count: by the nearest colour the indices 1 and 2 would be black.
    """
    if len(table.entries) < 2 or any(entry.index is not None for entry in table.entries):
        return None
    greys = {entry.packed_colour for entry in table.entries}
    as_rows, as_greys = 0, 0
    for value, count in _numbers(masks).items():
        as_rows += count * (0 <= value < len(table.entries))
        as_greys += count * (0 <= value <= 255 and value * 0x010101 in greys)
    if as_rows <= as_greys:
        return None
    rows = tuple(entry.model_copy(update={"index": n}) for n, entry in enumerate(table.entries))
    note = (
        f"the masks hold no colours of {', '.join(map(str, table.files))}, but indices: its rows"
        f" are taken as the indices 0 to {len(rows) - 1}"
    )
    return FoundTable(table.files, rows, (*table.notes, note))


def _numbers(masks: Sequence[bytes]) -> Counter[int]:
    """Pixels of each number in masks of one band; none if they have a palette or colours."""
    counts: Counter[int] = Counter()
    for content in masks:
        with contextlib.suppress(ValueError):  # told when it is decoded
            raw = unpack(content)
            seen = draft.look(raw)
            if raw.palette is not None or seen.numbers is None:
                return Counter()
            counts.update(seen.numbers)
    return counts


def _provisional(root: Path, masks: Sequence[bytes]) -> FoundTable:
    """A class for each value, so that masks without a table can be used as they are."""
    try:
        entries = draft.entries(masks)
    except ValueError as error:
        raise DataError(
            f"{root} has no class table, and a mask {error}; bohb-data classes {root} says which"
        ) from None
    except DataError as error:
        raise DataError(f"{root} has no class table, and {error}") from None
    note = (
        f"{root} has no class table: its {len(entries)} classes are named after the values in"
        f" {len(masks)} masks; bohb-data classes {root} drafts a classes.yaml from more, in which"
        " they can be named"
    )
    return FoundTable((), entries, (note,))


def _only(tables: Sequence[FoundTable]) -> FoundTable:
    if len(tables) > 1:
        raise DataError(
            f"the class tables {tables[0].files[0]} and {tables[1].files[0]} contradict each other;"
            " name one with --classes, or remove one"
        )
    return tables[0]
