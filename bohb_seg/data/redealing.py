"""The same data dealt out otherwise: other groups validate in the runoff, every group tests once.

A *unit* is what a split keeps together: a group, or an image. Where no unit can change sides, the
split stays: ``patch`` has none, and in published parts neighbours may lie in images beside each
other, so only groups change sides there, if the training part has several.

*Rotations* are for the runoff. Units that the search did not validate by are put together to parts
as large as the validation part; each validates once, in turn, then the validation part itself. The
test part stays out of it. Patches between blocks stay unused.

*Folds* are for the comparison. All units are dealt out into parts of equal size; each tests once.
Of the others as large a share validates as in every split.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, final

import numpy as np

from bohb_seg.data.dealing import TRAIN_AND_HELD_OUT, Dealt, Patches
from bohb_seg.data.split import Numbers, Split, Unit, deal_units
from bohb_seg.errors import SettingsError

FEWEST_FOR_FOLDS = 4
"""Units from which folds are dealt: with two folds, two are left to train and to validate."""
_QUARTERS = 4


@final
@dataclass(frozen=True)
class Redealing:
    """Deals patches out anew; the same data and the same split always give the same.

    Args:
        patches: The patches of the data set, with their pixels.
        dealt: The split of the search.
        draws_anywhere: Whether training patches are drawn anywhere in the rectangle around those
            of an image (``--sampling random``).
    """

    patches: Patches
    dealt: Dealt
    draws_anywhere: bool = False

    @cached_property
    def unit(self) -> Literal["group", "image"] | None:
        """The kind of unit that may change sides; None if none may."""
        match self.dealt.kind:
            case "group":
                return "group"
            case "image" | "block":
                return "image"
            case "folders":
                return "group" if len(self._names("group", self.dealt.split.train)) > 1 else None
        return None

    @cached_property
    def test_unit(self) -> Literal["group", "image"]:
        """The kind of unit by which the test part is scored."""
        if self.dealt.kind == "folders":
            return "group" if len(self._names("group", self.dealt.split.test)) > 1 else "image"
        return "group" if self.dealt.kind == "group" else "image"

    @cached_property
    def test_units(self) -> int:
        """Number of units in the test part."""
        return len(self._names(self.test_unit, self.dealt.split.test))

    @cached_property
    def folding_units(self) -> int:
        """Number of units that folds can be dealt from; 0 if there are none."""
        return len(self._names(self.unit, self._used)) if self.unit else 0

    @cached_property
    def most_folds(self) -> int:
        """Largest number of folds; 0 if the data cannot be folded."""
        return self.folding_units if self.folding_units >= FEWEST_FOR_FOLDS else 0

    def owners(self, unit: str) -> dict[str, str]:
        """The unit of each image, by the image's name."""
        return {each.name: getattr(each, _FIELDS[unit]) for each in self.patches.records}

    @cached_property
    def rotations(self) -> tuple[Split, ...]:
        """Splits by which others validate, without test parts; none if there are too few units."""
        if self.unit is None or self._tears_test_images:
            return ()
        split = self.dealt.split
        both = np.sort(np.concatenate([split.train, split.validation]))
        units, old = self._units(both), set(split.validation.tolist())
        fresh = [unit for unit in units if old.isdisjoint(unit.patches)]
        if len(fresh) < 2:  # one would leave only the validation part to train on
            fresh = units if len(units) > 2 else []
        if not fresh:
            return ()
        patches = sum(len(unit.patches) for unit in fresh)
        parts = min(len(fresh), max(2, round(patches / len(split.validation))))
        dealt = deal_units(fresh, [1 / parts] * parts)
        none = np.empty(0, np.int64)
        return tuple(Split(np.setdiff1d(both, part), part, none) for part in dealt)

    def rotation(self, seed: int) -> int | None:
        """Which of :attr:`rotations` a seed of the runoff has; None: the split as it is."""
        turn = seed % (len(self.rotations) + 1)
        return turn if turn < len(self.rotations) else None

    def fold(self, fold: int, folds: int) -> Split:
        """The split of one fold.

        Args:
            fold: Its index, below ``folds``.
            folds: Number of folds, at least 2.

        Raises:
            SettingsError: there are too few units.
        """
        if not 2 <= folds <= self.most_folds:
            raise SettingsError(
                f"--final-folds {folds} cannot be dealt out from {self.told_units}; choose other"
                " folds"
            )
        units = self._units(self._used)
        tested = set(_parts(units, folds)[fold].tolist())
        test = [unit for unit in units if not tested.isdisjoint(unit.patches)]
        rest = [unit for unit in units if tested.isdisjoint(unit.patches)]
        train, validation = deal_units(rest, TRAIN_AND_HELD_OUT)
        return Split(train, validation, _numbers(test))

    @property
    def told_units(self) -> str:
        """How many units there are, for a sentence."""
        if self.unit is None:
            return f"--split {self.dealt.kind} without groups that could change sides"
        count = self.folding_units
        return f"{count} {self.unit}" if count == 1 else f"{count} {self.unit}s"

    @cached_property
    def _used(self) -> Numbers:
        """All patches of the images that are in any part; those between blocks are among them."""
        split = self.dealt.split
        parts = np.concatenate([split.train, split.validation, split.test])
        images = np.unique(self.patches.places[parts, 0])
        return np.flatnonzero(np.isin(self.patches.places[:, 0], images))

    @property
    def _tears_test_images(self) -> bool:
        """Whether a rectangle around an image's other patches might hold some that test."""
        split, places = self.dealt.split, self.patches.places
        others = np.concatenate([split.train, split.validation])
        return self.draws_anywhere and bool(
            np.intersect1d(places[split.test, 0], places[others, 0]).size
        )

    def _name(self, unit: str, patch: int) -> str:
        name: str = getattr(self.patches.records[self.patches.places[patch, 0]], _FIELDS[unit])
        return name

    def _names(self, unit: str, numbers: Numbers) -> set[str]:
        images = np.unique(self.patches.places[numbers, 0])
        return {getattr(self.patches.records[image], _FIELDS[unit]) for image in images}

    def _units(self, numbers: Numbers) -> list[Unit]:
        """The units that these patches make up."""
        assert self.unit is not None
        members: dict[str, list[int]] = {}
        for number in numbers.tolist():
            members.setdefault(self._name(self.unit, number), []).append(number)
        pixels = self.patches.pixels
        assert pixels is not None
        return [
            Unit(name, tuple(mine), tuple(pixels[mine].sum(axis=0).tolist()))
            for name, mine in members.items()
        ]


_FIELDS = {"group": "group", "image": "name"}
"""Field of a record that names its unit."""


def _parts(units: Sequence[Unit], folds: int) -> list[Numbers]:
    """The patches of each fold; of two folds each has two units at least."""
    if folds > 2:
        return deal_units(units, [1 / folds] * folds)
    quarters = deal_units(units, [1 / _QUARTERS] * _QUARTERS)
    return [np.concatenate(quarters[:2]), np.concatenate(quarters[2:])]


def _numbers(units: Sequence[Unit]) -> Numbers:
    return np.array(sorted(number for unit in units for number in unit.patches), np.int64)
