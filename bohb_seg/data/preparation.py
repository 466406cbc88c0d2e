"""From files on disk to the patches of the three parts.

Load (a plug-in of ``datasets/``) -> hash, and decode once into a store (cache) -> audit -> lay
patches -> deal them out -> scale. Few patches are then cut into memory; many stay in the store and
are read when they are used, so that memory does not grow with the data.
"""

import dataclasses
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from bohb_seg import plugins
from bohb_seg.data import cache, split
from bohb_seg.data.audit import Audit, examine
from bohb_seg.data.classes import ClassTable
from bohb_seg.data.collection import Collection
from bohb_seg.data.cutting import cut
from bohb_seg.data.dealing import deal
from bohb_seg.data.decoding import Reading
from bohb_seg.data.drawing import RandomPatches, random_patches
from bohb_seg.data.imagery.damage import Look, findings
from bohb_seg.data.imagery.scaling import Scaling
from bohb_seg.data.imagery.scaling import Survey as ValueSurvey
from bohb_seg.data.masks import MaskCode
from bohb_seg.data.patch_sets import PatchSet, StoredPatches
from bohb_seg.data.records import Record
from bohb_seg.data.store.windows import Numbers, Survey, Windows, laid
from bohb_seg.data.surveying import surveyed
from bohb_seg.errors import DataError, PluginError
from bohb_seg.settings import DataSettings
from bohb_seg.trials import IGNORE

HELD_BYTES: Final = 256 * 1024 * 1024
"""Bytes of all patches up to which every process holds them in memory."""

AS_STORED: Final = Scaling("uint8")
"""The scaling of 8-bit images, which stay as they are."""

_log = logging.getLogger(__name__)


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
        scaling: Makes values of the files those that a network sees.
        bands: Names of the images' bands, "" for one without a name.
        random: Draws the patches of an epoch; None: an epoch trains on all.
    """

    classes: ClassTable
    train: PatchSet
    validation: PatchSet
    test: PatchSet
    fingerprint: str
    split_hash: str
    audit: Audit
    scaling: Scaling = AS_STORED
    bands: tuple[str, ...] = ("red", "green", "blue")
    random: RandomPatches | None = None

    @property
    def parts(self) -> dict[str, PatchSet]:
        """The three parts by name."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    @property
    def shown_bands(self) -> tuple[int, int, int]:
        """Numbers of the bands that pictures for people show as red, green and blue."""
        names = [name.lower() for name in self.bands]
        if {"red", "green", "blue"} <= set(names):
            return names.index("red"), names.index("green"), names.index("blue")
        last = len(names) - 1
        return 0, min(1, last), min(2, last)

    def drawn(self, random: np.random.Generator) -> PatchSet:
        """The patches that one epoch trains on, in whichever order.

        Args:
            random: All randomness of it.

        Raises:
            DataError: the store is damaged, or cannot be read.
        """
        return self.train if self.random is None else self.random.epoch(random)

    def summary(self) -> dict[str, Any]:
        """The facts that ``bohb-data check --json`` prints, plain Python."""
        pairs = zip(self.classes.names, self.classes.colours, strict=True)
        return {
            "fingerprint": self.fingerprint,
            "split_hash": self.split_hash,
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
    return found


def prepare(settings: DataSettings) -> SegmentationData:
    """Loads, audits, downscales, cuts and splits a data set; warnings go to the log.

    Raises:
        DataError: one sentence that says what is wrong with the data and what to do.
    """
    collection = find(settings)
    contents = cache.digests(collection)
    reading = reading_of(settings, collection.code)
    key = cache.fingerprint(collection, contents, reading)
    decoded = cache.open_or_build(settings.cache_dir, key, collection, reading)
    classes = collection.code.classes
    audit = examine(decoded.records, contents.images, classes.names, settings.preset)
    crop = settings.preset == "milestone3"
    windows = laid(decoded.store, settings.patch_size, crop)
    found = surveyed(windows, crop, len(classes.names))
    dealt = deal(decoded.records, windows.places, settings)
    orders = [_informative(dealt.train, found, settings), dealt.validation, dealt.test]
    scaling = _scaling(windows[orders[0]], decoded.records)
    names = [each.name for each in decoded.records]
    parts = _parts(windows, orders, scaling, settings, names)
    split_hash = cache.hex_digest([settings.patch_size, [part.sources for part in parts]])
    audit = dataclasses.replace(
        audit,
        warnings=(
            *audit.warnings,
            *findings([Look(r.name, r.facts, r.values, scaling) for r in decoded.records]),
            *_split_warnings(settings, classes, found, orders),
            *_padded(decoded.records, settings.patch_size),
            *_left_out(dealt.train, orders[0]),
        ),
    )
    for warning in audit.warnings:
        _log.warning("%s", warning)
    bands = decoded.records[0].bands
    random = _random_patches(windows[orders[0]], scaling, names, found.pixels[orders[0]], settings)
    return SegmentationData(classes, *parts, key, split_hash, audit, scaling, bands, random)


def reading_of(settings: DataSettings, code: MaskCode) -> Reading:
    """The settings by which the files of a data set become pixels."""
    return Reading(code, settings.downscale, settings.bands, settings.align)


def _informative(train: Numbers, found: Survey, settings: DataSettings) -> Numbers:
    """The patches from which there is something to learn; the reports trained on all."""
    return train if settings.preset == "milestone3" else train[found.informative[train]]


def _padded(records: Sequence[Record], size: int) -> Iterator[str]:
    small = [record for record in records if min(record.size) < size]
    if small:
        height, width = small[0].size
        yield (
            f"{len(small)} of {len(records)} images are smaller than a patch of {size} pixels and"
            f" are filled up with ignored ones, for example {small[0].name} with {width}x{height}"
        )


def _left_out(train: Numbers, kept: Numbers) -> Iterator[str]:
    if count := len(train) - len(kept):
        yield (
            f"{count} of {len(train)} training patches hold no class, or one value alone, and are"
            " left out of training"
        )


def _scaling(train: Windows, records: Sequence[Record]) -> Scaling:
    """The scale of the values of the training part, by its labelled pixels."""
    dtype = records[0].dtype
    if dtype == "uint8":
        return Scaling(dtype)
    found = ValueSurvey(dtype, len(records[0].bands))
    for number, (image, row, column) in enumerate(train.places.tolist()):
        (values,), (labels,) = train.read([number])
        valid = labels != IGNORE
        if dtype == "float32":
            valid &= np.isfinite(values).all(axis=2)
        found.add(values, valid, f"{records[image].name}@{row},{column}")
    return found.scaling()


def _parts(
    windows: Windows,
    orders: Sequence[Numbers],
    scaling: Scaling,
    settings: DataSettings,
    names: Sequence[str],
) -> tuple[PatchSet, PatchSet, PatchSet]:
    bands = windows.store.layouts[0].bands
    size = sum(map(len, orders)) * settings.patch_size**2 * (bands + 1)
    if size <= HELD_BYTES:
        train, validation, test = cut(
            windows, settings.preset == "milestone3", orders, scaling, names
        )
        return train, validation, test
    first, *others = (StoredPatches(windows[order], scaling, names) for order in orders)
    trained = dataclasses.replace(first, windows=first.windows.for_training())
    return trained, others[0], others[1]


def _random_patches(
    train: Windows, scaling: Scaling, names: Sequence[str], pixels: Numbers, settings: DataSettings
) -> RandomPatches | None:
    if settings.sampling == "grid":
        return None
    grid = StoredPatches(train.for_training(), scaling, names)
    return random_patches(grid, pixels.sum(axis=0), settings.rare_share)


def _split_warnings(
    settings: DataSettings, classes: ClassTable, found: Survey, orders: Sequence[Numbers]
) -> Iterator[str]:
    if settings.split == "patch":
        yield (
            "--split patch leaks: neighbouring patches of one image train and validate,"
            " which flatters every score"
        )
    for part_name, order in zip(split.PART_NAMES, orders, strict=True):
        pixels = found.pixels[order].sum(axis=0)
        for name, count in zip(classes.names, pixels, strict=True):
            if len(order) and not count:
                yield f"the {part_name} part holds no pixel of the class {name}"
