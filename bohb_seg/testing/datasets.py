"""The contract of a data set: whatever ``--data`` takes, with its path if it needs one."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from bohb_seg.data import cache, preparation
from bohb_seg.data.collection import Collection
from bohb_seg.settings import DataSettings
from bohb_seg.trials import IGNORE

PATCH_SIZE = 16
"""Edge of a patch in pixels; the smallest that is allowed, so that small images suffice."""


class DatasetContract:
    """Tests of one data set."""

    @pytest.fixture
    def settings(self, plugin: str, tmp_path: Path) -> DataSettings:
        """Settings that read the data set; a subclass may choose others."""
        return DataSettings(data=plugin, patch_size=PATCH_SIZE, cache_dir=tmp_path)

    def test_it_finds_pairs_of_files(self, settings: DataSettings) -> None:
        found = preparation.find(settings)
        assert isinstance(found, Collection)
        assert [pair.name for pair in found.pairs] == sorted({pair.name for pair in found.pairs})
        for pair in found.pairs:
            assert pair.image.is_file()
            assert pair.mask.is_file()

    def test_every_image_has_a_mask_of_its_own(self, settings: DataSettings) -> None:
        found = preparation.find(settings)
        uses = Counter(file for pair in found.pairs for file in (pair.image, pair.mask))
        assert [file for file, count in uses.items() if count > 1] == []
        assert found.problems == ()

    def test_it_has_the_same_fingerprint_everywhere(self, settings: DataSettings) -> None:
        """The master refuses workers whose data have another one."""
        first, again = (_fingerprint(settings) for _ in range(2))
        assert first == again

    def test_it_can_be_trained_on(self, settings: DataSettings) -> None:
        data = preparation.prepare(settings)
        allowed = {*range(len(data.classes.names)), IGNORE}
        assert len(data.train)
        assert len(data.validation)
        for part in data.parts.values():
            assert part.shape == (len(part), *2 * (settings.patch_size,), len(data.bands))
            assert set(np.unique(part.read(np.arange(len(part)))[1]).tolist()) <= allowed


def _fingerprint(settings: DataSettings) -> str:
    found = preparation.find(settings)
    reading = preparation.reading_of(settings, found.code)
    return cache.fingerprint(found, cache.digests(found), reading)
