"""A journal that two masters wrote, or that is damaged, made one that a run can go on from."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

from bohb_seg.errors import JournalError, SettingsError
from bohb_seg.search.events import Evaluated
from bohb_seg.storage.consistency import Consistency
from bohb_seg.storage.journal import Journal
from bohb_seg.storage.journal_entries import decode

_MOST_LINES = 20
"""Dropped lines of which each is told; of more only their number."""

_log = logging.getLogger(__name__)


def repair(journal: Journal) -> None:
    """Drops the lines that are damaged or contradict earlier ones; says which, keeps a copy.

    Of two masters that wrote the same evaluation, the one whose order stands first counts.

    Args:
        journal: The open journal; to be closed and opened anew afterwards.

    Raises:
        SettingsError: the first line is damaged, without which nothing can be made of the others,
            or the files cannot be written; the journal is as it was.
    """
    lines = journal.lines()
    dropped = {number: why for number, _, why in _judged(journal.path, lines) if why}
    for number in list(dropped)[:_MOST_LINES]:
        _log.warning("line %d is dropped: %s", number, dropped[number])
    if 1 in dropped:
        raise SettingsError(
            f"--repair: {journal.path}, line 1: {dropped[1]}; nothing can be made of a journal"
            " without its first line: restore the file from a copy"
        )
    if not dropped:
        _log.info("%s needs no repair", journal.path)
        return
    results = sum(_is_result(journal.path, number, lines[number - 1]) for number in dropped)
    kept = b"".join(line for number, line in enumerate(lines, 1) if number not in dropped)
    try:
        copy = journal.replace(kept)
    except OSError as error:
        raise SettingsError(
            f"--repair: {journal.path} cannot be written ({error.strerror}); it is as it was"
        ) from None
    _log.warning(
        "%s is repaired: %d of %d lines are dropped, %d of them results; the old journal is kept as"
        " %s",
        *(journal.path, len(dropped), len(lines), results, copy),
    )


def _judged(path: Path, lines: Sequence[bytes]) -> Iterator[tuple[int, bytes, str]]:
    """Each line with its number and, if it must go, the reason."""
    consistency = Consistency()
    for number, line in enumerate(lines, start=1):
        try:
            yield number, line, consistency.objection(decode(path, number, line).event)
        except JournalError as error:
            yield number, line, error.reason


def _is_result(path: Path, number: int, line: bytes) -> bool:
    try:
        return isinstance(decode(path, number, line).event, Evaluated)
    except JournalError:
        return False
