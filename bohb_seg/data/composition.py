"""The make-up of the parts: patches, images and pixels of each class, and whether that suffices.

For a new run a part must have labelled pixels, because a search by scores that it cannot have would
mislead. It must have each class of the data, if another split gives each class to each part; the
sentence names that split. If none does, or the parts are as published, a missing class is only
told: rare classes are missing in parts of many known data sets. So it is with the preset
``milestone3``, which does as the Milestone 3 reports did.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bohb_seg.data.classes import ClassTable
from bohb_seg.data.dealing import Dealt, deal
from bohb_seg.data.records import Record
from bohb_seg.data.split import PART_NAMES, Numbers
from bohb_seg.errors import DataError
from bohb_seg.settings import DataSettings

_PERFECT = "whatever is predicted is right, unless what is ignored beside it becomes a class"
_NAMED = 8
"""Classes that are named where there are more."""


@dataclass(frozen=True)
class Part:
    """The make-up of one part.

    Args:
        patches: Number of its patches.
        images: Names of the images that they were cut from.
        groups: Groups of these images.
        pixels: Number of its pixels of each class.
    """

    patches: int
    images: tuple[str, ...]
    groups: tuple[str, ...]
    pixels: tuple[int, ...]

    @property
    def shares(self) -> tuple[float, ...]:
        """Share of each class in the pixels that count, 0..1; zeros if there are none."""
        total = max(1, sum(self.pixels))
        return tuple(count / total for count in self.pixels)


@dataclass(frozen=True)
class Composition:
    """The make-up of a data set.

    Args:
        kind: The rule by which it was split.
        classes: The classes.
        present: Whether each class occurs in the data.
        parts: The parts by name.
        better: Another rule by which no part lacks a class; "" if there is none, or none is needed.
    """

    kind: str
    classes: ClassTable
    present: tuple[bool, ...]
    parts: Mapping[str, Part]
    better: str = ""

    def missing(self) -> dict[str, tuple[str, ...]]:
        """Classes of the data that a part lacks, by the name of the part; all if it has no pixel.

        Parts without patches lack nothing: the preset ``milestone3`` has no test part.
        """
        lacking = {
            name: tuple(
                label
                for label, present, count in zip(
                    self.classes.names, self.present, part.pixels, strict=True
                )
                if present and not count
            )
            for name, part in self.parts.items()
            if part.patches
        }
        return {name: classes for name, classes in lacking.items() if classes}


def compose(
    dealt: Dealt,
    records: Sequence[Record],
    places: Numbers,
    classes: ClassTable,
    pixels: Numbers,
    settings: DataSettings,
) -> Composition:
    """The make-up of a data set that has been dealt out.

    Args:
        dealt: The patches of each part.
        records: Facts about the images.
        places: Image, row and column of every patch's upper left pixel, (n, 3).
        classes: The classes.
        pixels: Pixels of each class in every patch, (n, classes).
        settings: By which they were dealt out.
    """
    split = dealt.split
    made = {}
    for name, numbers in zip(PART_NAMES, (split.train, split.validation, split.test), strict=True):
        images = [records[image] for image in np.unique(places[numbers, 0])]
        names = tuple(record.name for record in images)
        groups = tuple(sorted({record.group for record in images}))
        made[name] = Part(len(numbers), names, groups, tuple(pixels[numbers].sum(axis=0).tolist()))
    totals = np.sum([record.pixels[:-1] for record in records], axis=0)
    found = Composition(dealt.kind, classes, tuple((totals > 0).tolist()), made)
    if dealt.kind == "folders" or not found.missing():
        return found
    others = (kind for kind in ("image", "block") if kind != dealt.kind)
    does = (kind for kind in others if _is_whole(kind, records, places, settings, pixels))
    return replace(found, better=next(does, ""))


def _is_whole(
    kind: str,
    records: Sequence[Record],
    places: Numbers,
    settings: DataSettings,
    pixels: Numbers,
) -> bool:
    """Whether each part has each class if the data are dealt out by this rule."""
    try:
        dealt = deal(records, places, settings.model_copy(update={"split": kind}), pixels=pixels)
    except DataError:
        return False
    parts = (dealt.split.train, dealt.split.validation, dealt.split.test)
    return all((pixels[part].sum(axis=0) > 0)[pixels.sum(axis=0) > 0].all() for part in parts)


def judge(composition: Composition, preset: str) -> None:
    """Refuses parts that cannot be trained on and compared by.

    A new run is judged before it begins (``bohb-data check``), not its workers: a run that an
    earlier version began goes on.

    Raises:
        DataError: a part lacks something that cannot be borne.
    """
    has_empty = any(part.patches and not any(part.pixels) for part in composition.parts.values())
    if preset == "milestone3" or not (has_empty or composition.better):
        return
    if has_empty:
        remedy = "label more, or use another --split, or other groups by --group-by"
    else:
        remedy = f"use --split {composition.better}, or give the class ignore: true in its table"
    raise DataError(f"{' and '.join(_lacking(composition))}; {remedy}")


def oddities(composition: Composition) -> list[str]:
    """Sentences about parts that lack something, and about a single class."""
    names = composition.classes.names
    single = [f"there is only the class {names[0]}: {_PERFECT}"] if len(names) == 1 else []
    return _lacking(composition) + single


def _lacking(composition: Composition) -> list[str]:
    return [
        f"the {name} part holds no pixel of {_listed(classes)}"
        if any(composition.parts[name].pixels)
        else f"the {name} part holds no labelled pixel"
        for name, classes in composition.missing().items()
    ]


def _listed(names: Sequence[str]) -> str:
    if len(names) == 1:
        return f"the class {names[0]}"
    more = ", ..." * (len(names) > _NAMED)
    return f"the classes {', '.join(names[:_NAMED])}{more}"
