"""Which patches train, validate and test, by the rule that the settings choose."""

from collections.abc import Sequence

import numpy as np

from bohb_seg.data import split
from bohb_seg.data.records import Record
from bohb_seg.settings import DataSettings


def deal(records: Sequence[Record], places: split.Numbers, settings: DataSettings) -> split.Split:
    """Deals the patches of a data set out.

    Args:
        records: Facts about the images.
        places: Image, row and column of every patch's upper left pixel, image by image, (n, 3).
        settings: Choose the rule.

    Raises:
        DataError: there is too little to fill all parts.
    """
    if settings.split == "patch":
        total = len(places)
        return split.as_reports(total) if settings.preset == "milestone3" else split.by_patch(total)
    return split.by_unit(_units(records, places, settings.split), settings.split)


def _units(records: Sequence[Record], places: split.Numbers, kind: str) -> list[split.Unit]:
    members: dict[str, list[int]] = {}
    for number, record in enumerate(records):
        members.setdefault(record.group if kind == "group" else record.name, []).append(number)
    first = np.searchsorted(places[:, 0], np.arange(len(records) + 1)).tolist()
    return [
        split.Unit(
            name=name,
            patches=tuple(p for i in numbers for p in range(first[i], first[i + 1])),
            pixels=tuple(
                sum(column)
                for column in zip(*(records[i].pixels[:-1] for i in numbers), strict=True)
            ),
        )
        for name, numbers in members.items()
    ]
