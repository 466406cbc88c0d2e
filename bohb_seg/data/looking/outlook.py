"""All that is known of a data set, also of one that is refused."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bohb_seg.data import cache
from bohb_seg.data.collection import Collection
from bohb_seg.data.composition import judge
from bohb_seg.data.decoding import Reading
from bohb_seg.data.looking.sights import Box
from bohb_seg.data.patch_sets import PatchSet
from bohb_seg.data.preparation import SegmentationData, find, in_their_groups, prepare, reading_of
from bohb_seg.data.records import Record, UnusableDataError
from bohb_seg.data.store.windows import Numbers, around
from bohb_seg.errors import DataError
from bohb_seg.settings import DataSettings


@dataclass(frozen=True)
class Outlook:
    """All that is known of a data set.

    Args:
        settings: The settings by which it is read.
        collection: Its files; None if none were found.
        data: The data, if they can be used.
        decoded: Its pixels, if all files can be decoded.
        refusal: The reason why it cannot be used, or None; also of data whose parts will not do.
    """

    settings: DataSettings
    collection: Collection | None
    data: SegmentationData | None
    decoded: cache.Decoded | None
    refusal: DataError | None

    @property
    def reading(self) -> Reading:
        """The settings by which its files become pixels."""
        assert self.collection, "nothing was found that could be read"
        return reading_of(self.settings, self.collection.code)

    @property
    def names(self) -> list[str]:
        """Names of all images."""
        return [pair.name for pair in self.collection.pairs] if self.collection else []

    @cached_property
    def records(self) -> Sequence[Record]:
        """Facts about all images, as far as they could be decoded, in the groups that count."""
        if not (self.collection and self.decoded):
            return ()
        return in_their_groups(self.decoded.records, self.collection)

    @property
    def problems(self) -> tuple[str, ...]:
        """One sentence for each thing that must be mended."""
        if isinstance(self.refusal, UnusableDataError):
            return self.refusal.problems
        return () if self.refusal is None else (str(self.refusal),)

    @cached_property
    def places(self) -> Mapping[str, Numbers]:
        """Image, row and column of the patches of each part, (n, 3); empty if there is none."""
        number = {name: place for place, name in enumerate(self.names)}
        parts = self.data.parts.items() if self.data else ()
        return {name: _places(part, number) for name, part in parts if len(part)}

    @property
    def pixels(self) -> Mapping[str, Sequence[int]]:
        """Pixels of each class in each part."""
        made = self.data.composition.parts if self.data else {}
        return {name: made[name].pixels for name in self.places}

    @cached_property
    def boxes(self) -> Mapping[str, Mapping[int, Box]]:
        """The rectangle around each part's patches, for each image that has some."""
        return {part: self._boxes(places) for part, places in self.places.items()}

    def _boxes(self, places: Numbers) -> Mapping[int, Box]:
        edges = [record.size for record in self.records]
        found = around(places, self.settings.patch_size, edges).tolist()
        return {
            image: Box(top, left, bottom - top, right - left)
            for image, top, left, bottom, right in found
        }


def outlook(settings: DataSettings) -> Outlook:
    """Prepares a data set, and keeps what is known if it is refused.

    Raises:
        PluginError: the file of a data set is missing, is none, or fails.
    """
    try:
        collection = find(settings)
    except DataError as error:
        return Outlook(settings, None, None, None, error)
    try:
        data = prepare(settings)
    except DataError as error:
        return Outlook(settings, collection, None, _kept(settings, collection), error)
    reading = reading_of(settings, collection.code)
    decoded = cache.open_or_build(settings.cache_dir, data.fingerprint, collection, reading)
    refusal = None
    try:
        judge(data.composition, settings.preset)
    except DataError as error:
        refusal = error
    return Outlook(settings, collection, data, decoded, refusal)


def _kept(settings: DataSettings, collection: Collection) -> cache.Decoded | None:
    """The pixels of data that were refused after they had been decoded."""
    reading = reading_of(settings, collection.code)
    try:
        key = cache.fingerprint(collection, cache.digests(collection), reading)
        if collection.problems or not (settings.cache_dir / f"{key}-{cache.FORMAT}").is_dir():
            return None
        return cache.open_or_build(settings.cache_dir, key, collection, reading)
    except DataError:
        return None


def _places(part: PatchSet, number: Mapping[str, int]) -> Numbers:
    rows = []
    for source in part.sources:
        name, _, place = source.rpartition("@")
        rows.append((number[name], *map(int, place.split(","))))
    return np.array(rows, np.int64).reshape(-1, 3)
