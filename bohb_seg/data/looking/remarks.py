"""A few words about each image that deserves a look, and the images that are shown first."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from bohb_seg.data.imagery.damage import Doubt, Look, doubts
from bohb_seg.data.imagery.scaling import Scaling
from bohb_seg.data.looking.outlook import Outlook
from bohb_seg.data.records import Record

MOST_SMEARED = 0.01
"""Share of a mask that may be given to the nearest class without a word."""
MOST_NAMING = 200
"""Sentences of a refusal that are searched for names of images."""
MOST_LETTERS = 2000
"""Letters of a sentence that are searched for names of images."""

_NO_LABELS = "no labelled pixel"


class Remark(NamedTuple):
    """A few words about one image; smaller ranks are worse."""

    rank: float
    words: str


class Choice(NamedTuple):
    """An image that is shown, the words that say why, if any, and whether they are a remark."""

    image: int
    words: tuple[str, ...]
    is_odd: bool


Remarks = Mapping[int, Sequence[Remark]]


def remarks(known: Outlook) -> Remarks:
    """The remarks about the images, by their numbers, each image's worst first."""
    number = {name: place for place, name in enumerate(known.names)}
    said: defaultdict[int, set[Remark]] = defaultdict(set)
    for sentence in known.problems[:MOST_NAMING]:
        for name in named(sentence, known.names):
            words = sentence.removeprefix(name).lstrip(" :")
            said[number[name]].add(Remark(0, words))
    for place, record in enumerate(known.records):
        said[place].update(_about_mask(record))
    for name, remark in _doubtful(known):
        said[number[name]].add(remark)
    for group in known.data.audit.duplicates if known.data else ():
        for name in group[1:]:
            said[number[name]].add(Remark(5, f"equal to {group[0]}"))
    return {place: sorted(found) for place, found in said.items() if found}


def chosen(
    remarked: Remarks, shares: Mapping[int, Sequence[float]], names: Sequence[str], most: int
) -> list[Choice]:
    """Images that are shown: half of them for a remark, then rare classes, then the rest evenly.

    Of each kind of remark one image comes before the second of any, and worse ones come first.

    Args:
        remarked: The remarks.
        shares: For each image that may be shown the shares of the classes, or nothing.
        names: Names of the classes.
        most: Number of images that are shown.
    """
    found = {each: remarked[each] for each in _odd(remarked, shares)[: -(-most // 2)]}
    rare: dict[int, str] = {}
    for label in _rarest(shares)[: -(-(most - len(found)) // 2)]:
        image = max(shares, key=lambda each: (shares[each][label], -each))
        if image not in found:
            rare.setdefault(image, f"much {names[label]}, which is rare")
    left = [image for image in sorted(shares) if image not in found and image not in rare]
    count = min(most - len(found) - len(rare), len(left))
    rest = np.linspace(0, len(left) - 1, count).round().astype(int).tolist()
    return [
        *(Choice(each, tuple(_words(remarked[each])), is_odd=True) for each in found),
        *(Choice(each, (words,), is_odd=False) for each, words in rare.items()),
        *(
            Choice(each, tuple(_words(remarked.get(each, ()))), is_odd=each in remarked)
            for each in (left[place] for place in rest)
        ),
    ]


def _words(remarked: Sequence[Remark]) -> Iterator[str]:
    return (remark.words for remark in remarked)


def shares(known: Outlook) -> Mapping[str, Mapping[int, Sequence[float]]]:
    """Images of each part, with the shares of their classes; "" stands for data without parts."""
    if known.collection is None:
        return {}
    classes = len(known.collection.code.classes.names)
    every = {image: _shares(known, image, classes) for image in range(len(known.names))}
    if not known.data:
        return {"": every}
    return {part: {image: every[image] for image in boxes} for part, boxes in known.boxes.items()}


def _shares(known: Outlook, image: int, classes: int) -> Sequence[float]:
    pixels = known.records[image].pixels[:classes] if known.records else (0,) * classes
    total = max(1, sum(pixels))
    return [count / total for count in pixels]


def all_doubts(known: Outlook) -> Sequence[Doubt]:
    """The audit's doubts about images, also of data that are refused."""
    scaling = known.data.scaling if known.data else _scaling(known.records)
    return doubts([Look(each.name, each.facts, each.values, scaling) for each in known.records])


def named(sentence: str, names: Sequence[str]) -> list[str]:
    """The names that a sentence names, in its order; a name within a longer one does not count."""
    text = sentence[:MOST_LETTERS]
    places = {}
    for name in names:
        if name in text and (found := re.search(_WORD.format(re.escape(name)), text)):
            places[name] = found.start()
    return sorted(places, key=places.__getitem__)


_WORD = r"(?:^|(?<=[\s'\"(])){}(?=[\s,:;'\")]|$)"


def _odd(remarked: Remarks, shown: Mapping[int, object]) -> list[int]:
    """Images with remarks: one of each kind, then the second of each, and so on."""
    met: Counter[str] = Counter()
    order = []
    for image in sorted(
        (each for each in remarked if each in shown), key=lambda each: list(remarked[each])
    ):
        kind = re.sub(r"[\d.]+", "0", remarked[image][0].words)
        order.append((met[kind], remarked[image][0].rank, image))
        met[kind] += 1
    return [image for *_, image in sorted(order)]


def _rarest(shares: Mapping[int, Sequence[float]]) -> list[int]:
    """The classes that have less than half of an even share, the rarest first."""
    sums = np.sum([row for row in shares.values() if len(row)] or [[0.0]], axis=0)
    rare = (sums > 0) & (sums < sums.sum() / len(sums) / 2)
    return [int(label) for label in np.argsort(sums, kind="stable") if rare[label]]


def _about_mask(record: Record) -> Iterator[Remark]:
    if not sum(record.pixels[:-1]):
        yield Remark(1, _NO_LABELS)
    if unknown := sum(record.unknown.values()):
        share = unknown / (record.original[0] * record.original[1])
        shown = f"{share:.1%}" if share >= 0.001 else "less than 0.1%"
        yield Remark(3 - share, f"{shown} of its mask of no class")
    if record.smeared > MOST_SMEARED:
        share = record.smeared
        yield Remark(4 - share, f"smeared mask: {share:.0%} of it to the nearest class")


def _doubtful(known: Outlook) -> Iterator[tuple[str, Remark]]:
    """The doubts of the audit that tell an image from the others."""
    found = all_doubts(known)
    for place, doubt in enumerate(found):
        if 2 * len(doubt.names) <= max(len(known.records), 4):
            for name in doubt.names:
                yield name, Remark(2 + place / len(found), doubt.short)


def _scaling(records: Sequence[Record]) -> Scaling:
    """A scale for data that have none: to the brightest values of all images."""
    dtype = records[0].dtype if records else "uint8"
    like = [each.values.bright for each in records if each.values and each.dtype == dtype]
    if dtype == "uint8" or not like or len({len(bright) for bright in like}) > 1:
        return Scaling("uint8")
    high = [max(column) for column in zip(*like, strict=True)]
    return Scaling(dtype, (0.0,) * len(high), tuple(max(each, 1.0) for each in high))
