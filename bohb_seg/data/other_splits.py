"""The data of each phase: the search's split, or another one of the same patches."""

import logging
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import final

from bohb_seg.data.cache import hex_digest
from bohb_seg.data.parting import part
from bohb_seg.data.preparation import SegmentationData
from bohb_seg.data.split import Split
from bohb_seg.data.store.forecast import HELD_BYTES
from bohb_seg.errors import SettingsError
from bohb_seg.trials import FOLDS_BRACKET, RUNOFF_BRACKET, seed_and_fold

KEPT = 2
"""Other splits that are kept, besides the search's, if they hold few patches in memory; else one.
The evaluations of one seed come one after the other."""

_log = logging.getLogger(__name__)


@final
@dataclass
class OtherSplits:
    """Makes the data of an evaluation; the images are decoded once for all.

    Args:
        data: The data in the search's split.
    """

    data: SegmentationData
    _kept: OrderedDict[tuple[int, int], SegmentationData] = field(default_factory=OrderedDict)
    _has_told: bool = False

    def of(self, config_id: tuple[int, int, int], folds: int = 0) -> SegmentationData:
        """The data that a trial is trained and scored on.

        In the runoff the seed decides which groups validate, the same ones for all candidates. On
        folds the fold decides which groups test.

        Args:
            config_id: HpBandSter's (bracket, rung, number).
            folds: Setting ``final_folds``; the same in all calls that are given folds.

        Raises:
            DataError: the training part of that split holds nothing to learn; or the store is
                damaged, or cannot be read.
            SettingsError: the data cannot be folded so.
        """
        bracket, _, number = config_id
        if bracket == RUNOFF_BRACKET:
            return self._rotated(number)
        if bracket == FOLDS_BRACKET:
            return self._folded(number, folds)
        return self.data

    def _rotated(self, seed: int) -> SegmentationData:
        source = self.data.source
        if source is None or not source.redealing.rotations:
            self._tell_once()
            return self.data
        turn = source.redealing.rotation(seed)
        if turn is None:
            return self.data
        return self._made((RUNOFF_BRACKET, turn), source.redealing.rotations[turn])

    def _folded(self, number: int, folds: int) -> SegmentationData:
        source = self.data.source
        if source is None or folds < 2:
            raise SettingsError(
                f"a retraining on folds needs --final-folds of 2 or more, not {folds}"
            )
        _, fold = seed_and_fold(number, folds)
        found = self._kept.get((FOLDS_BRACKET, fold))
        split = None if found else source.redealing.fold(fold, folds)
        return self._made((FOLDS_BRACKET, fold), split)

    def _made(self, key: tuple[int, int], split: Split | None) -> SegmentationData:
        found = self._kept.pop(key, None)
        if found is None:
            while len(self._kept) >= self._most:  # before, so that never more are in memory
                self._kept.popitem(last=False)
            assert split is not None
            rotation = key[1] if key[0] == RUNOFF_BRACKET else None
            found = replace(redealt(self.data, split), rotation=rotation)
        self._kept[key] = found
        return found

    @cached_property
    def _most(self) -> int:
        """Number of splits to keep: together they take no more memory than one may."""
        held = (part.held for part in self.data.parts.values())
        size = sum(array.nbytes for arrays in held if arrays for array in arrays)
        return KEPT if KEPT * size <= HELD_BYTES else 1

    def _tell_once(self) -> None:
        if not self._has_told:
            self._has_told = True
            _log.warning(
                "the runoff validates by the same images as the search: the split has no other"
                " groups that could take their place"
            )


def redealt(data: SegmentationData, split: Split) -> SegmentationData:
    """The same data in other parts, scaled by their own training part.

    The audit, the composition and the notes stay those of the search's split.

    Args:
        data: Data that :func:`~bohb_seg.data.preparation.prepare` made.
        split: Numbers of the patches in each part.

    Raises:
        DataError: no training pixel holds data; or the store is damaged, or cannot be read.
    """
    source = data.source
    assert source is not None
    dealt = replace(source.redealing.dealt, split=split)
    parted = part(source.windows, source.found, dealt, source.records, source.settings)
    unit = source.redealing.unit or source.redealing.test_unit
    return replace(
        data,
        train=parted.train,
        validation=parted.validation,
        test=parted.test,
        split_hash=hex_digest([source.settings.patch_size, parted.sources]),
        scaling=parted.scaling,
        random=parted.random,
        units=source.redealing.owners(unit),
    )
