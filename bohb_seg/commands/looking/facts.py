"""Counts and shares of a data set, as far as they are known."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bohb_seg.data.colouring import as_hex
from bohb_seg.data.imagery.damage import resolution
from bohb_seg.data.imagery.facts import Facts
from bohb_seg.data.imagery.glance import glance
from bohb_seg.data.looking.outlook import Outlook
from bohb_seg.errors import printable

MOST_KINDS = 12
"""Values of one kind that are listed; the rest is counted."""
LONGEST_VALUE = 60
"""Letters of a value; coordinate systems in full have hundreds."""
WITHOUT = "none"
"""The value of what a file does not say."""


@dataclass(frozen=True)
class Kind:
    """Values of one fact about images, with the number of images of each.

    Args:
        title: The fact.
        rows: Value and number of images, the most frequent first.
        more: Number of values that are not among them.
    """

    title: str
    rows: Sequence[tuple[str, int]]
    more: int


@dataclass(frozen=True)
class ClassRow:
    """A class: its colour as ``#RRGGBB``, and its share in all images and in each part."""

    name: str
    colour: str
    shares: Mapping[str, float]


@dataclass(frozen=True)
class PartRow:
    """A part: its images, patches and labelled pixels."""

    name: str
    images: int
    patches: int
    pixels: int


def kinds(known: Outlook) -> list[Kind]:
    """Sizes, bit depths, bands and the like; of headers where files could not be decoded."""
    facts = list(_facts(known))
    counters = {
        "size in pixels": Counter(f"{each.width} × {each.height}" for each in facts),
        "type of values": Counter(map(_depth, facts)),
        "bands": Counter(map(_bands, facts)),
        "file": Counter(each.codec or "other" for each in facts),
    }
    if known.records:
        counters["ground resolution"] = Counter(map(_resolution, facts))
        counters["coordinate system"] = Counter(each.crs or WITHOUT for each in facts)
        palettes = (each.palette for each in known.records)
        counters["mask"] = Counter("palette" if each else "no palette" for each in palettes)
    return [
        Kind(
            title,
            [(_short(value), count) for value, count in counter.most_common(MOST_KINDS)],
            max(0, len(counter) - MOST_KINDS),
        )
        for title, counter in counters.items()
        if counter
    ]


def classes(known: Outlook) -> list[ClassRow]:
    """The legend, with shares of the pixels that count."""
    if known.collection is None:
        return []
    table = known.collection.code.classes
    columns = {part: list(pixels) for part, pixels in known.pixels.items()}
    if known.records:
        counts = zip(*(record.pixels[:-1] for record in known.records), strict=True)
        columns = {"all": [sum(column) for column in counts], **columns}
    totals = {part: max(1, sum(column)) for part, column in columns.items()}
    return [
        ClassRow(
            name,
            as_hex(colour),
            {part: float(column[label] / totals[part]) for part, column in columns.items()},
        )
        for label, (name, colour) in enumerate(zip(table.names, table.colours, strict=True))
    ]


def parts(known: Outlook) -> list[PartRow]:
    """The parts of data that can be used."""
    return [
        PartRow(name, len(known.boxes[name]), len(places), sum(known.pixels[name]))
        for name, places in known.places.items()
    ]


def _facts(known: Outlook) -> Iterator[Facts]:
    if known.records:
        yield from (record.facts for record in known.records)
        return
    for pair in known.collection.pairs if known.collection else ():
        try:
            yield glance(pair.image)
        except (ValueError, OSError):
            continue


def _depth(facts: Facts) -> str:
    letters = facts.dtype.rstrip("0123456789")
    bits = facts.dtype.removeprefix(letters)
    kind = {"uint": "whole numbers", "int": "signed numbers", "float": "floating point"}
    return f"{bits} bits, {kind.get(letters, letters)}"


def _bands(facts: Facts) -> str:
    names = [name for name in facts.names if name]
    return f"{facts.bands}" + (f": {', '.join(names)}" if names else "")


def _resolution(facts: Facts) -> str:
    found = resolution(facts)
    return WITHOUT if found is None else f"{found:.4g} (unit of the coordinate system)"


def _short(value: str) -> str:
    shown = printable(value)
    return shown if len(shown) <= LONGEST_VALUE else f"{shown[: LONGEST_VALUE - 1]}…"
