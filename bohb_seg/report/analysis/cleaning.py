"""The door for text: whatever is told in a journal is made harmless once, before anything uses it.

Names of workers, classes, files and hyperparameters, their values and all reasons come from
outside, and journals of earlier versions hold them as they came.
"""

from dataclasses import fields, replace
from typing import Any

from bohb_seg.errors import printable, printable_lines
from bohb_seg.storage.journal_entries import Entry

NUMBERS = frozenset({float, int, bool, type(None)})
"""Types of the values of a curve; most values of a journal are those of curves."""
LINES = "error"
"""Field whose text has several lines: a traceback."""


def cleaned(entry: Entry) -> Entry:
    """The entry with harmless texts, each of them in one line but for tracebacks."""
    event = entry.event
    told = {field.name: getattr(event, field.name) for field in fields(event)}
    changed = {name: _clean(value) for name, value in told.items() if name != LINES}
    if told.get(LINES):
        changed[LINES] = printable_lines(told[LINES])
    return replace(entry, event=replace(event, **changed))


def _clean(value: Any) -> Any:
    """Texts within tables and lists; numbers and the identities of trials are as they were."""
    kind = type(value)
    if kind is str:
        return printable(value)
    if kind is dict:
        return {printable(key): _clean(its) for key, its in value.items()}
    if kind in (list, tuple):
        return value if NUMBERS.issuperset(map(type, value)) else kind(map(_clean, value))
    return value
