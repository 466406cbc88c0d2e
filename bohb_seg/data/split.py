"""The split: which patches train, validate and test.

``group`` and ``image`` never tear a group or an image apart: neighbouring pieces of one mosaic on
both sides would flatter the score (measured on the Dubai tiles: mean IoU .63 with random patches,
.49 with whole tiles held out). ``patch`` is the random split of the Milestone 3 reports
(docs/origin.md), kept for comparison. ``block`` is in :mod:`bohb_seg.data.blocks`, ``folders`` and
the choice in :mod:`bohb_seg.data.dealing`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bohb_seg.errors import DataError

SHARES = (0.70, 0.15, 0.15)
"""Wanted shares of the patches in the train, validation and test part."""

PART_NAMES = ("train", "validation", "test")

REPORTS_SEED = 42
"""Seed of the split in the Milestone 3 reports."""
REPORTS_HELD_OUT = 0.2
"""Share of the patches that the Milestone 3 reports held out for validation."""

CANDIDATES = 4000
"""Number of random arrangements that are tried; of eight groups they hold the best in practice."""

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Split:
    """Numbers of the patches in each part.

    No patch is in two; those between blocks, and those that an official split leaves out, are in
    none.
    """

    train: Numbers
    validation: Numbers
    test: Numbers


@dataclass(frozen=True)
class Unit:
    """A group or an image, which is not torn apart.

    Args:
        name: Its name.
        patches: Numbers of its patches.
        pixels: Number of its pixels of each class.
    """

    name: str
    patches: tuple[int, ...]
    pixels: tuple[int, ...]


def by_unit(units: Sequence[Unit], kind: str) -> Split:
    """Deals whole units out; the same units always give the same split.

    The best of many random arrangements is taken: the one whose parts miss the fewest classes; of
    several, the one nearest to ``SHARES`` and to equal class frequencies in all parts.

    Args:
        units: The groups or images.
        kind: ``"group"`` or ``"image"``, for the message.

    Raises:
        DataError: there are fewer units than parts.
    """
    if len(units) < len(SHARES):
        raise DataError(
            f"train, validation and test need three {kind}s, but there {_are(len(units), kind)};"
            f" {_REMEDY[kind]}"
        )
    return Split(*deal_units(units, SHARES))


def deal_units(units: Sequence[Unit], shares: Sequence[float]) -> list[Numbers]:
    """Numbers of the patches in as many parts as there are shares, as :func:`by_unit` deals them.

    Args:
        units: The groups or images; at least as many as shares.
        shares: Wanted shares of the patches in the parts; they add up to 1.
    """
    patches = np.array([len(unit.patches) for unit in units])
    pixels = np.array([unit.pixels for unit in units], np.float64)
    owner = min(
        _arrangements(patches, shares),
        key=lambda each: _badness(patches, pixels, each, shares),
    )
    return [_patches(units, owner == part) for part in range(len(shares))]


def by_patch(patches: int) -> Split:
    """Deals single patches out at random in the wanted shares.

    Raises:
        DataError: there are fewer patches than parts.
    """
    held = max(1, round(SHARES[1] * patches))
    if patches < len(SHARES):
        raise DataError(
            f"train, validation and test need three patches, but there {_are(patches, 'patch')};"
            f" {_REMEDY['patch']}"
        )
    order = np.random.RandomState(REPORTS_SEED).permutation(patches)
    return Split(order[2 * held :], order[:held], order[held : 2 * held])


def as_reports(patches: int) -> Split:
    """The 80/20 split of the Milestone 3 reports, without a test part.

    Equal to scikit-learn's ``train_test_split(range(n), test_size=0.2, random_state=42)``, order
    included.

    Raises:
        DataError: there is only one patch.
    """
    if patches < 2:
        raise DataError(
            f"train and validation need two patches, but there {_are(patches, 'patch')};"
            f" {_REMEDY['patch']}"
        )
    held = int(np.ceil(REPORTS_HELD_OUT * patches))
    order = np.random.RandomState(REPORTS_SEED).permutation(patches)
    return Split(order[held:], order[:held], np.empty(0, np.int64))


_REMEDY = {
    "group": "use --split image or block, --group-by, or sort the images into more folders",
    "image": "use --split block, or add images",
    "patch": "choose a smaller --patch-size",
}


def _are(count: int, kind: str) -> str:
    plural = {"patch": "patches"}.get(kind, f"{kind}s")
    return f"is only 1 {kind}" if count == 1 else f"are only {count} {plural}"


def _arrangements(patches: Numbers, shares: Sequence[float]) -> Iterator[Numbers]:
    """The part (0, 1, ...) of every unit, for many random orders of the units."""
    random = np.random.RandomState(0)
    for _ in range(CANDIDATES):
        yield _deal(random.permutation(len(patches)), patches, shares)


def _deal(order: Numbers, sizes: Numbers, shares: Sequence[float]) -> Numbers:
    """Cuts an order of units into runs, one for each share, each at least one unit long."""
    filled = np.cumsum(sizes[order]) / sizes.sum()
    units = len(order)
    cuts: list[int] = []
    for number, wanted in enumerate(np.cumsum(shares)[:-1]):
        nearest = int(np.argmin(np.abs(filled - wanted))) + 1
        lowest = cuts[-1] + 1 if cuts else 1
        cuts.append(min(max(nearest, lowest), units - len(shares) + 1 + number))
    owner = np.empty(units, np.int64)
    owner[order] = np.searchsorted(cuts, np.arange(units), side="right")
    return owner


def _badness(
    sizes: Numbers, contents: npt.NDArray[np.float64], owner: Numbers, shares: Sequence[float]
) -> tuple[int, float]:
    """Missing classes, then distances from what is wanted; of units with these patches, pixels."""
    part = owner[None, :] == np.arange(len(shares))[:, None]
    patches, pixels = part @ sizes, part @ contents
    missing = int(((pixels == 0) & (pixels.sum(axis=0) > 0)).sum())
    off_share = np.abs(patches / patches.sum() - shares).sum()
    frequencies = pixels / np.maximum(1, pixels.sum(axis=1, keepdims=True))
    overall = pixels.sum(axis=0) / max(1, pixels.sum())
    unlike = np.abs(frequencies - overall).sum(axis=1).mean() / 2
    return missing, float(off_share + unlike)


def _patches(units: Sequence[Unit], chosen: npt.NDArray[np.bool_]) -> Numbers:
    numbers = [
        number for unit, mine in zip(units, chosen, strict=True) if mine for number in unit.patches
    ]
    return np.array(sorted(numbers), np.int64)
