"""The patches of each part, once it is known which belong to it: kept, scaled, held or stored."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from bohb_seg.data.cutting import cut
from bohb_seg.data.dealing import Dealt
from bohb_seg.data.drawing import RandomPatches, random_patches
from bohb_seg.data.imagery.scaling import Scaling
from bohb_seg.data.patch_sets import PatchSet, StoredPatches
from bohb_seg.data.records import Record
from bohb_seg.data.store.forecast import HELD_BYTES
from bohb_seg.data.store.windows import Numbers, Survey, Windows
from bohb_seg.data.surveying import scaling_of
from bohb_seg.errors import DataError, SettingsError
from bohb_seg.settings import DataSettings


@dataclass(frozen=True)
class Parted:
    """The patches of each part.

    Args:
        train: Patches that are trained on.
        validation: Patches that the search compares by.
        test: Patches that only the report looks at.
        scaling: Makes their values those that a network sees.
        random: Draws the patches of an epoch; None: an epoch trains on all.
        notes: A sentence about each thing that is worth knowing.
    """

    train: PatchSet
    validation: PatchSet
    test: PatchSet
    scaling: Scaling
    random: RandomPatches | None
    notes: tuple[str, ...]

    @property
    def sources(self) -> list[tuple[str, ...]]:
        """Origins of all patches, part by part."""
        return [each.sources for each in (self.train, self.validation, self.test)]


def part(
    windows: Windows,
    found: Survey,
    dealt: Dealt,
    records: Sequence[Record],
    settings: DataSettings,
) -> Parted:
    """Makes the patches of each part.

    Args:
        windows: All patches, image by image.
        found: Facts about them.
        dealt: The patches of each part.
        records: Facts about the images.
        settings: Choose how the patches of an epoch are drawn.

    Raises:
        DataError: no training pixel holds data; or the store is damaged, or cannot be read.
        SettingsError: patches cannot be drawn so.
    """
    _refuse_impossible(settings, dealt.kind)
    crop, names = settings.preset == "milestone3", [record.name for record in records]
    # The reports trained on all.
    train = dealt.split.train if crop else _informative(dealt.split.train, found)
    scaling = scaling_of(windows[train], records)
    random = None
    if settings.sampling == "random":
        grid = StoredPatches(windows[train].for_training(), scaling, names)
        random = random_patches(grid, found.pixels[train].sum(axis=0), settings.rare_share)
    notes = *_padded(records, settings.patch_size), *_left_out(dealt.split.train, train)
    orders = train, dealt.split.validation, dealt.split.test
    if sum(map(len, orders)) * windows.bytes <= HELD_BYTES:
        return Parted(*cut(windows, crop, orders, scaling, names), scaling, random, notes)
    first, second, third = (StoredPatches(windows[order], scaling, names) for order in orders)
    first = replace(first, windows=first.windows.for_training())
    return Parted(first, second, third, scaling, random, notes)


def _informative(train: Numbers, found: Survey) -> Numbers:
    kept: Numbers = train[found.informative[train]]
    if not len(kept):
        raise DataError(
            f"none of the {len(train)} training patches holds a class and more than one value:"
            " there is nothing to learn; check images, masks and class table"
        )
    return kept


def _refuse_impossible(settings: DataSettings, kind: str) -> None:
    if settings.rare_share and settings.sampling != "random":
        raise SettingsError(
            f"--rare-share {settings.rare_share:g} needs --sampling random: a grid shows what there"
            " is"
        )
    if settings.sampling == "random" and kind == "patch":
        raise SettingsError(
            "--sampling random with --split patch would train on pixels of the other parts; choose"
            " another --split"
        )


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
