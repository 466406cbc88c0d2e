"""The make-up of the parts: patches, images and pixels of each class, and whether that suffices.

For a new run a part must have labelled pixels, and each class that occurs in the data, because a
search by scores that some part cannot have would mislead. Where the parts are as published a
missing class is only told: the split is not ours to change, and rare classes are missing in parts
of many known data sets. So it is with the preset ``milestone3``, which does as the Milestone 3
reports did.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bohb_seg.data.classes import ClassTable
from bohb_seg.data.dealing import Dealt
from bohb_seg.data.records import Record
from bohb_seg.data.split import PART_NAMES, Numbers
from bohb_seg.errors import DataError

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
    """

    kind: str
    classes: ClassTable
    present: tuple[bool, ...]
    parts: Mapping[str, Part]

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
) -> Composition:
    """The make-up of a data set that has been dealt out.

    Args:
        dealt: The patches of each part.
        records: Facts about the images.
        places: Image, row and column of every patch's upper left pixel, (n, 3).
        classes: The classes.
        pixels: Pixels of each class in every patch, (n, classes).
    """
    split = dealt.split
    made = {}
    for name, numbers in zip(PART_NAMES, (split.train, split.validation, split.test), strict=True):
        images = [records[image] for image in np.unique(places[numbers, 0])]
        names = tuple(record.name for record in images)
        groups = tuple(sorted({record.group for record in images}))
        made[name] = Part(len(numbers), names, groups, tuple(pixels[numbers].sum(axis=0).tolist()))
    totals = np.sum([record.pixels[:-1] for record in records], axis=0)
    return Composition(dealt.kind, classes, tuple((totals > 0).tolist()), made)


def judge(composition: Composition, preset: str) -> None:
    """Refuses parts that cannot be trained on and compared by.

    A new run is judged before it begins (``bohb-data check``), not its workers: a run that an
    earlier version began goes on.

    Raises:
        DataError: a part lacks something that cannot be borne.
    """
    has_empty = any(part.patches and not any(part.pixels) for part in composition.parts.values())
    lenient = preset == "milestone3" or (composition.kind == "folders" and not has_empty)
    if not lenient and (lacking := _lacking(composition)):
        raise DataError(f"{' and '.join(lacking)}; {_remedy(composition)}")


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


def _remedy(composition: Composition) -> str:
    if composition.kind == "folders":
        return "label it, or have the parts dealt out anew with --split group, image or block"
    others = {"group": "--split image or block", "image": "--split block"}
    other = others.get(composition.kind, "--split group or image")
    return (
        f"use {other}, or other groups by --group-by, label more, or give a class that is too rare"
        " ignore: true in the class table"
    )
