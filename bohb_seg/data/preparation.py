"""From files on disk to patches in memory.

Load (a plug-in of ``datasets/``) -> hash and decode once (cache) -> audit -> lay patches -> split
-> cut. The split is decided from counts alone, so that every patch is copied exactly once: memory
stays at four bytes a pixel.
"""

import dataclasses
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from bohb_seg import plugins
from bohb_seg.data import cache, split
from bohb_seg.data.audit import Audit, examine
from bohb_seg.data.cache import Decoded
from bohb_seg.data.classes import ClassTable
from bohb_seg.data.collection import Collection
from bohb_seg.data.composition import Composition, compose, oddities
from bohb_seg.data.dealing import deal
from bohb_seg.data.layout.groups import grouped
from bohb_seg.data.patches import Grid, grid
from bohb_seg.data.pixels import Pixels
from bohb_seg.data.records import Record
from bohb_seg.errors import DataError, PluginError
from bohb_seg.settings import DataSettings
from bohb_seg.trials import IGNORE

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PatchSet:
    """The patches of one part of the data: train, validation or test.

    Args:
        images: RGB, uint8, (patches, size, size, 3).
        labels: Classes or IGNORE, uint8, (patches, size, size).
        sources: Origin of each patch, "Tile 1/images/part_001.jpg@row,column", with the patch's
            upper left pixel after downscaling.
    """

    images: Pixels
    labels: Pixels
    sources: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.sources)


@dataclass(frozen=True)
class SegmentationData:
    """A data set, prepared for training and scoring.

    Args:
        classes: The classes that a model predicts.
        train: The patches that are trained on.
        validation: The patches that the search compares by.
        test: The patches that only the report looks at; none in the split of the Milestone 3
            reports (docs/origin.md).
        fingerprint: Hex digest of all that the pixels follow from: file contents, class table,
            preset and downscaling.
        split_hash: Hex digest of the part that each patch lies in.
        audit: Findings in the data set.
        composition: Make-up of the parts, and the rule by which the data were split.
    """

    classes: ClassTable
    train: PatchSet
    validation: PatchSet
    test: PatchSet
    fingerprint: str
    split_hash: str
    audit: Audit
    composition: Composition

    @property
    def parts(self) -> dict[str, PatchSet]:
        """The three parts by name."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    def summary(self) -> dict[str, Any]:
        """The facts that ``bohb-data check --json`` prints, plain Python."""
        pairs = zip(self.classes.names, self.classes.colours, strict=True)
        return {
            "fingerprint": self.fingerprint,
            "split_hash": self.split_hash,
            "split": self.composition.kind,
            "classes": [{"name": name, "colour": list(colour)} for name, colour in pairs],
            "patches": {name: len(part) for name, part in self.parts.items()},
            "images": self.audit.images,
            "warnings": list(self.audit.warnings),
            "frequencies": dict(self.audit.frequencies),
        }


def find(settings: DataSettings) -> Collection:
    """Finds the files of ``--data`` with the data set that it names.

    Raises:
        DataError: there is no such data set or folder, or it holds no images and masks.
        PluginError: the file of a data set is missing, is none, or fails.
        SettingsError: --group-by does not fit the files.
    """
    dataset, path = plugins.data_source(settings.data)
    found = plugins.call("datasets", dataset, settings.model_copy(update={"data": path}))
    if not isinstance(found, Collection):
        raise PluginError(
            f"--data {settings.data}: load() must return a bohb_seg.data.collection.Collection,"
            f" not {type(found).__name__}; correct the file"
        )
    if not found.pairs:
        raise DataError(f"--data {settings.data} holds no pair of image and mask; check the path")
    return grouped(found, settings.group_by)


def prepare(settings: DataSettings) -> SegmentationData:
    """Loads, audits, downscales, cuts and splits a data set; warnings go to the log.

    Raises:
        DataError: one sentence that says what is wrong with the data and what to do.
    """
    collection = find(settings)
    contents = cache.digests(collection)
    key = cache.fingerprint(collection, contents, settings.downscale)
    decoded = cache.open_or_build(settings.cache_dir, key, collection, settings.downscale)
    records = _in_their_groups(decoded.records, collection)
    classes = collection.code.classes
    audit = examine(records, contents.images, classes.names, settings.preset)
    grids = _grids(records, settings)
    places = _places(grids)
    pixels = _pixels(decoded, grids, len(classes.names))
    dealt = deal(records, places, settings, collection.parts, pixels)
    made = compose(dealt, records, places, classes, pixels)
    told = (*collection.notes, *dealt.notes, *oddities(made))
    parts = _cut(decoded, grids, dealt.split)
    warnings = (*audit.warnings, *told)
    for warning in warnings:
        _log.warning("%s", warning)
    split_hash = cache.hex_digest([settings.patch_size, [part.sources for part in parts]])
    audit = dataclasses.replace(audit, warnings=warnings)
    train, validation, test = parts
    return SegmentationData(classes, train, validation, test, key, split_hash, audit, made)


def _in_their_groups(records: Sequence[Record], collection: Collection) -> tuple[Record, ...]:
    """The records with the groups of this start; the cache may have been built by another."""
    return tuple(
        dataclasses.replace(record, group=pair.group)
        for record, pair in zip(records, collection.pairs, strict=True)
    )


def _grids(records: Sequence[Record], settings: DataSettings) -> list[Grid]:
    size = settings.patch_size
    for record in records:
        height, width = record.size
        if min(height, width) < size:
            shrunk = f" after --downscale {settings.downscale}" if settings.downscale > 1 else ""
            raise DataError(
                f"{record.name} is {width}x{height} pixels{shrunk}, smaller than a patch of {size};"
                f" choose a smaller --patch-size{' or --downscale' if shrunk else ''}"
            )
    return [grid(*record.size, size, crop=settings.preset == "milestone3") for record in records]


def _places(grids: Sequence[Grid]) -> split.Numbers:
    """Image, row and column of every patch's upper left pixel, (n, 3)."""
    places = [(image, *corner) for image, each in enumerate(grids) for corner in each.corners()]
    return np.array(places, np.int64).reshape(-1, 3)


def _offsets(grids: Sequence[Grid]) -> list[int]:
    """Number of each image's first patch, and the number of all patches at the end."""
    return list(accumulate(map(len, grids), initial=0))


def _cut(decoded: Decoded, grids: Sequence[Grid], dealt: split.Split) -> list[PatchSet]:
    """Copies every patch to its place in its part."""
    size, offsets = grids[0].size, _offsets(grids)
    orders = [dealt.train, dealt.validation, dealt.test]
    images = [np.empty((len(order), size, size, 3), np.uint8) for order in orders]
    labels = [np.empty((len(order), size, size), np.uint8) for order in orders]
    places = [np.full(offsets[-1], -1) for _ in orders]
    for place, order in zip(places, orders, strict=True):
        place[order] = np.arange(len(order))
    for number, (start, stop) in enumerate(pairwise(offsets)):
        patches = grids[number].cut(decoded.pixels(number))
        counted = grids[number].count_once(patches[..., 3])
        for part, place in enumerate(places):
            mine = place[start:stop] >= 0
            target = place[start:stop][mine]
            images[part][target] = patches[mine, ..., :3]
            # Only parts that are scored count each pixel once; see patches.py.
            labels[part][target] = patches[mine, ..., 3] if part == 0 else counted[mine]
    names = _sources(decoded.records, grids)
    return [
        PatchSet(images[part], labels[part], tuple(names[number] for number in order))
        for part, order in enumerate(orders)
    ]


def _sources(records: Sequence[Record], grids: Sequence[Grid]) -> list[str]:
    return [
        f"{record.name}@{row},{column}"
        for record, patches in zip(records, grids, strict=True)
        for row, column in patches.corners()
    ]


def _pixels(decoded: Decoded, grids: Sequence[Grid], classes: int) -> split.Numbers:
    """Pixels of each class in every patch, (patches, classes)."""
    counts = [
        np.bincount(patch.ravel(), minlength=IGNORE + 1)[:classes]
        for number, each in enumerate(grids)
        for patch in each.cut(decoded.pixels(number))[..., 3]
    ]
    return np.array(counts, np.int64)
