"""The class table that fits the masks: some data sets bring one whose colours no mask uses."""

import logging
from collections.abc import Sequence

from bohb_seg.data.class_tables.finder import FoundTable
from bohb_seg.data.classes import ClassEntry
from bohb_seg.data.mask_reading.reading import read_mask
from bohb_seg.data.masks import mask_code

_log = logging.getLogger(__name__)


def share_named(entries: tuple[ClassEntry, ...], masks: Sequence[bytes]) -> float:
    """Share of the pixels of some masks that a table names, 0..1.

    Raises:
        ValueError: a file is no image that can be a mask.
    """
    code = mask_code(entries, "default")
    decoded = [read_mask(content, code) for content in masks]
    unknown = sum(sum(mask.unknown.values()) for mask in decoded)
    return 1 - unknown / max(1, sum(mask.labels.size for mask in decoded))


def best_fitting(tables: Sequence[FoundTable], masks: Sequence[bytes]) -> FoundTable:
    """The first table that names the most pixels; a note in the log if that is not the first.

    Args:
        tables: At least one, the preferred one first.
        masks: Contents of a few mask files.

    Raises:
        ValueError: a file is no image that can be a mask.
    """
    shares = [share_named(table.entries, masks) for table in tables]
    best = tables[shares.index(max(shares))]
    if best is not tables[0]:
        names = ", ".join(map(str, tables[0].files))
        _log.warning(
            "the class table %s is left out: it names %.0f%% of the mask pixels, another %.0f%%",
            names, 100 * shares[0], 100 * max(shares),
        )  # fmt: skip
    return best
