"""Which patches train, validate and test, by the rule that the settings choose.

``auto`` is ``folders`` where the data set is published in parts, else ``group`` where there are at
least three groups, else ``image`` where there are at least thirty images, else ``block``.

A published split that lacks a part is completed from the part that is nearest in kind, and the test
part is never used for the search: without a validation part a share of the training part validates;
without a test part (its labels are often kept back) the validation part is halved, because it is
held out as its publishers meant it, and no training data are lost. Only if it is too small for that
a share of the training part tests.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from bohb_seg.data import blocks, split
from bohb_seg.data.layout.groups import default_split
from bohb_seg.data.records import Record
from bohb_seg.data.split import PART_NAMES, SHARES, Numbers, Split
from bohb_seg.errors import DataError
from bohb_seg.settings import DataSettings

HALVES = (0.5, 0.5)
"""Shares of a validation part that also has to test."""
TRAIN_AND_HELD_OUT = (SHARES[0] / (SHARES[0] + SHARES[1]), SHARES[1] / (SHARES[0] + SHARES[1]))
"""Shares of a training part that also has to validate, or to test."""
LEAKS = (
    "--split patch leaks: neighbouring patches of one image train and validate, which flatters"
    " every score"
)
_NAMED = 3
"""Images that are named where there are more."""


@dataclass(frozen=True)
class Dealt:
    """The patches of a data set, dealt out.

    Args:
        kind: The rule: ``folders``, ``group``, ``image``, ``block`` or ``patch``.
        split: Numbers of the patches in each part.
        notes: A sentence about each thing that is worth knowing.
    """

    kind: str
    split: Split
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Patches:
    """The patches of a data set and the images that they were cut from.

    Args:
        records: Facts about the images.
        places: Image, row and column of every patch's upper left pixel, image by image, (n, 3).
        size: Edge of a patch in pixels.
        pixels: Pixels of each class in every patch, (n, classes); None if they are not counted.
        parts: Part of the images' names in the split that the data set is published with.
    """

    records: Sequence[Record]
    places: Numbers
    size: int
    pixels: Numbers | None = None
    parts: Mapping[str, str] = field(default_factory=dict)

    @property
    def margin(self) -> int:
        """Least distance in pixels between blocks of different parts: one row of patches."""
        return self.size

    @cached_property
    def _firsts(self) -> list[int]:
        images = np.arange(len(self.records) + 1)
        return [int(first) for first in np.searchsorted(self.places[:, 0], images)]

    def numbers(self, image: int) -> range:
        """Numbers of the patches of an image."""
        return range(self._firsts[image], self._firsts[image + 1])


def deal(
    records: Sequence[Record],
    places: Numbers,
    settings: DataSettings,
    parts: Mapping[str, str] | None = None,
    pixels: Numbers | None = None,
) -> Dealt:
    """Deals the patches of a data set out.

    Args:
        records: Facts about the images, in the groups that count.
        places: Image, row and column of every patch's upper left pixel, image by image, (n, 3).
        settings: Choose the rule.
        parts: Part of the images' names in the split that the data set is published with.
        pixels: Pixels of each class in every patch, (n, classes), which blocks then balance.

    Raises:
        DataError: there is too little to fill all parts.
    """
    patches = Patches(records, places, settings.patch_size, pixels, parts or {})
    everything = range(len(records))
    kind: str = settings.split
    if kind == "auto":
        kind = _suitable(patches, everything, bool(parts))
    if kind == "folders":
        return _as_published(patches)
    if kind == "patch":
        reports = settings.preset == "milestone3"
        by_patch = split.as_reports if reports else split.by_patch
        return Dealt(kind, by_patch(len(places)), (LEAKS,))
    if kind == "block":
        by_block = blocks.by_block(_scenes(patches, everything), patches.size, patches.margin)
        return Dealt(kind, by_block.split, _between(by_block.margin, len(places)))
    return Dealt(kind, split.by_unit(_units(patches, everything, kind), kind))


def _suitable(patches: Patches, images: Iterable[int], has_official: bool) -> str:
    return default_split([patches.records[image].group for image in images], has_official)


def _as_published(patches: Patches) -> Dealt:
    by_part: dict[str, list[int]] = {name: [] for name in PART_NAMES}
    nowhere: list[int] = []
    for number, record in enumerate(patches.records):
        part = patches.parts.get(record.name)
        if part is not None and part not in by_part:
            raise DataError(
                f"{record.name} is in the part {part!r}; the parts are {', '.join(PART_NAMES)}"
            )
        (nowhere if part is None else by_part[part]).append(number)
    train, validation, test = by_part.values()
    if not train or not (validation or test):
        raise DataError(
            "--split folders: no folders or lists name a train part and another one; name folders"
            " train/, val/ and test/, or use another --split"
        )
    published, notes = _completed(patches, train, validation, test)
    return Dealt("folders", published, (*_left_out(patches, nowhere), *notes))


def _completed(
    patches: Patches, train: Sequence[int], validation: Sequence[int], test: Sequence[int]
) -> tuple[Split, tuple[str, ...]]:
    """The parts of these images, and the one that is missing made up; notes about that."""
    whole = Split(*(_all(patches, images) for images in (train, validation, test)))
    if validation and test:
        return whole, ()
    if validation and (halves := _divided(patches, validation, HALVES)):
        first, second, notes = halves
        halved = "no test part is published: half of validation tests"
        return Split(whole.train, first, second), (halved, *notes)
    divided = _divided(patches, train, TRAIN_AND_HELD_OUT)
    if divided is None:
        lacking, too_few = "test" if validation else "validation", _scenes(patches, train)
        raise DataError(
            f"no {lacking} part is published, and a share of train takes"
            f" {blocks.too_few(too_few, patches.margin)}"
        )
    first, second, notes = divided
    if validation:
        instead = "no test part is published, nor can validation be halved: a share of train tests"
        return Split(first, whole.validation, second), (instead, *notes)
    instead = "no validation part is published: a share of train validates"
    return Split(first, second, whole.test), (instead, *notes)


def _divided(
    patches: Patches, images: Sequence[int], shares: tuple[float, float]
) -> tuple[Numbers, Numbers, tuple[str, ...]] | None:
    """A published part in two, and notes; None if it is too small for that."""
    kind = _suitable(patches, images, has_official=False)
    numbers = _all(patches, images)
    if kind != "block":
        first, second = split.deal_units(_units(patches, images, kind), shares)
        return first, second, ()
    scenes = _scenes(patches, images)
    owner = blocks.deal_blocks(scenes, patches.size, patches.margin, shares)
    first, second = numbers[owner == 0], numbers[owner == 1]
    if not len(first) or not len(second):
        return None
    return first, second, _between(numbers[owner < 0], len(numbers))


def _left_out(patches: Patches, images: Sequence[int]) -> tuple[str, ...]:
    if not images:
        return ()
    names = [patches.records[image].name for image in images[:_NAMED]]
    more = ", ..." * (len(images) > _NAMED)
    return (
        f"{len(images)} of {len(patches.records)} images are in no part of the published split and"
        f" are not used: {', '.join(names)}{more}",
    )


def _between(margin: Numbers, total: int) -> tuple[str, ...]:
    if not len(margin):
        return ()
    return (
        f"{len(margin)} of {total} patches lie between blocks of different parts and are not used",
    )


def _all(patches: Patches, images: Iterable[int]) -> Numbers:
    return np.array([p for image in images for p in patches.numbers(image)], np.int64)


def _scenes(patches: Patches, images: Iterable[int]) -> list[blocks.Scene]:
    inside = [slice(*_ends(patches.numbers(image))) for image in images]
    return [
        blocks.Scene(
            patches.places[each, 1:], None if patches.pixels is None else patches.pixels[each]
        )
        for each in inside
    ]


def _ends(numbers: range) -> tuple[int, int]:
    return numbers.start, numbers.stop


def _units(patches: Patches, images: Iterable[int], kind: str) -> list[split.Unit]:
    members: dict[str, list[int]] = {}
    for number in images:
        record = patches.records[number]
        members.setdefault(record.group if kind == "group" else record.name, []).append(number)
    return [
        split.Unit(
            name=name,
            patches=tuple(p for number in numbers for p in patches.numbers(number)),
            pixels=tuple(
                sum(column)
                for column in zip(
                    *(patches.records[number].pixels[:-1] for number in numbers), strict=True
                )
            ),
        )
        for name, numbers in members.items()
    ]
