"""From files on disk to the patches of the three parts.

Load (a plug-in of ``datasets/``) -> hash, and decode once into a store (cache) -> audit -> lay
patches -> deal them out -> scale. Few patches are then cut into memory; many stay in the store and
are read when they are used, so that memory does not grow with the data.
"""

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from bohb_seg import plugins
from bohb_seg.data import cache
from bohb_seg.data.audit import Audit, examine
from bohb_seg.data.classes import ClassTable
from bohb_seg.data.collection import Collection
from bohb_seg.data.composition import Composition, compose, oddities
from bohb_seg.data.dealing import Dealt, Patches, deal
from bohb_seg.data.decoding import Reading
from bohb_seg.data.drawing import RandomPatches
from bohb_seg.data.imagery.damage import Look, findings
from bohb_seg.data.imagery.scaling import Scaling
from bohb_seg.data.layout.groups import grouped
from bohb_seg.data.masks import MaskCode
from bohb_seg.data.parting import Parted, part
from bohb_seg.data.patch_sets import PatchSet, shown_bands
from bohb_seg.data.records import Record
from bohb_seg.data.redealing import Redealing
from bohb_seg.data.store.windows import Survey, Windows, laid
from bohb_seg.data.surveying import surveyed
from bohb_seg.errors import DataError, PluginError
from bohb_seg.settings import DataSettings

AS_STORED: Final = Scaling("uint8")
"""The scaling of 8-bit images, which stay as they are."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Source:
    """All that the parts are made from, so that others can be made of it.

    Args:
        windows: All patches, image by image.
        found: Facts about them.
        records: Facts about the images.
        settings: Choose patches and parts.
        redealing: Deals the patches out otherwise.
    """

    windows: Windows
    found: Survey
    records: Sequence[Record]
    settings: DataSettings
    redealing: Redealing


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
        scaling: Makes values of the files those that a network sees.
        bands: Names of the images' bands, "" for one without a name.
        random: Draws the patches of an epoch; None: an epoch trains on all.
        units: Group of the images' names by which the test part is scored; an image that it lacks
            is its own.
        source: The material of the parts; None if they were made otherwise.
        rotation: Number of the other split that these parts are in the runoff; None: none of them.
    """

    classes: ClassTable
    train: PatchSet
    validation: PatchSet
    test: PatchSet
    fingerprint: str
    split_hash: str
    audit: Audit
    composition: Composition
    scaling: Scaling = AS_STORED
    bands: tuple[str, ...] = ("red", "green", "blue")
    random: RandomPatches | None = None
    units: Mapping[str, str] = field(default_factory=dict)
    source: Source | None = None
    rotation: int | None = None

    @property
    def parts(self) -> dict[str, PatchSet]:
        """The three parts by name."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    @property
    def shown_bands(self) -> tuple[int, int, int]:
        """Numbers of the bands that pictures for people show as red, green and blue."""
        return shown_bands(self.bands)

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
            "split": self.composition.kind,
            "classes": [{"name": name, "colour": list(colour)} for name, colour in pairs],
            "bands": list(self.bands),
            "scaling": None if self.scaling.keeps else self.scaling.to_json(),
            "patches": {name: len(part) for name, part in self.parts.items()},
            "images": self.audit.images,
            **self._groups(),
            "warnings": list(self.audit.warnings),
            "frequencies": dict(self.audit.frequencies),
        }

    def _groups(self) -> dict[str, Any]:
        """How many groups test, and how many folds there may be, of so many units in words."""
        if self.source is None:
            return {}
        redealing = self.source.redealing
        return {
            "test_groups": redealing.test_units,
            "most_folds": redealing.most_folds,
            "folded_units": redealing.told_units,
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
        SettingsError: settings do not fit the data.
    """
    collection = find(settings)
    contents = cache.digests(collection)
    reading = reading_of(settings, collection.code)
    key = cache.fingerprint(collection, contents, reading)
    decoded = cache.open_or_build(settings.cache_dir, key, collection, reading, contents.stamps)
    records = in_their_groups(decoded.records, collection)
    classes = collection.code.classes
    audit = examine(records, contents.images, classes.names, settings.preset)
    crop = settings.preset == "milestone3"
    windows = laid(decoded.store, settings.patch_size, crop)
    found = surveyed(windows, crop, len(classes.names))
    dealt = deal(records, windows.places, settings, collection.parts, found.pixels)
    made = compose(dealt, records, windows.places, classes, found.pixels, settings)
    parted = part(windows, found, dealt, records, settings)
    warnings = _told(audit, collection, dealt, made, records, parted)
    patches = Patches(records, windows.places, settings.patch_size, found.pixels)
    redealing = Redealing(patches, dealt, settings.sampling == "random")
    return SegmentationData(
        classes=classes,
        train=parted.train,
        validation=parted.validation,
        test=parted.test,
        fingerprint=key,
        split_hash=cache.hex_digest([settings.patch_size, parted.sources]),
        audit=dataclasses.replace(audit, warnings=warnings),
        composition=made,
        scaling=parted.scaling,
        bands=records[0].bands,
        random=parted.random,
        units=redealing.owners(redealing.test_unit),
        source=Source(windows, found, records, settings, redealing),
    )


def _told(
    audit: Audit,
    collection: Collection,
    dealt: Dealt,
    made: Composition,
    records: Sequence[Record],
    parted: Parted,
) -> tuple[str, ...]:
    """A sentence about each thing that is worth knowing; all are in the log."""
    looks = [Look(each.name, each.facts, each.values, parted.scaling) for each in records]
    told = *collection.notes, *dealt.notes, *oddities(made), *findings(looks), *parted.notes
    warnings = *audit.warnings, *told
    for warning in warnings:
        _log.warning("%s", warning)
    return warnings


def in_their_groups(records: Sequence[Record], collection: Collection) -> tuple[Record, ...]:
    """The records with the groups of this start; the cache may have been built by another."""
    return tuple(
        dataclasses.replace(record, group=pair.group)
        for record, pair in zip(records, collection.pairs, strict=True)
    )


def reading_of(settings: DataSettings, code: MaskCode) -> Reading:
    """The settings by which the files of a data set become pixels."""
    return Reading(code, settings.downscale, settings.bands, settings.align, settings.class_field)
