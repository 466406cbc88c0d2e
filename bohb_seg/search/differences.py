"""Differences between incumbent and default, with their intervals; pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from bohb_seg.search import intervals
from bohb_seg.search.image_groups import jackknife
from bohb_seg.search.intervals import FIRST_LOOK, Precision, Spread
from bohb_seg.search.pairs import Quantity, Retrained, Scored, paired, scored
from bohb_seg.trials import DEFAULT_ARM, INCUMBENT_ARM

FEWEST_GROUPS = 5
"""Groups of test images from which on their share of the spread can be estimated."""

Answer = Literal["better", "worse", "equivalent", "undecided"]


@dataclass(frozen=True)
class Difference:
    """Incumbent minus default in one quantity, seed by seed.

    Args:
        seeds: Indices of the seeds that both arms have.
        default: Numbers of the default, in order of the seeds.
        incumbent: Numbers of the incumbent, in order of the seeds.
        mean: Mean of the differences.
        spread: Standard deviation of the difference, moderated; None with one seed.
        low: Lower end of the 95 % interval of the mean; None before the first look.
        high: Its upper end.
        inner_low: Lower end of the 90 % interval.
        inner_high: Its upper end.
        groups: Groups of images in this part that were told apart; 0 if unknown.
        images: Standard error that the choice of images adds; None if it cannot be estimated.
        precision: Width of the interval after further pairs; None with one seed.
    """

    quantity: Quantity
    seeds: tuple[int, ...]
    default: tuple[float, ...]
    incumbent: tuple[float, ...]
    mean: float
    spread: float | None = None
    low: float | None = None
    high: float | None = None
    inner_low: float | None = None
    inner_high: float | None = None
    groups: int = 0
    images: float | None = None
    precision: Precision | None = None

    def answer(self, delta: float = 0.0) -> Answer:
        """The incumbent beside the default, by the interval.

        Args:
            delta: Largest difference that counts as equivalent.
        """
        if self.low is None or self.high is None:
            return "undecided"
        assert self.inner_low is not None
        assert self.inner_high is not None
        if self.low > 0 or self.high < 0:
            return "better" if (self.high < 0) == self.quantity.lower_is_better else "worse"
        is_within = -delta <= self.inner_low and self.inner_high <= delta
        return "equivalent" if is_within else "undecided"


def difference(
    quantity: Quantity, found: Sequence[Scored], runoff: Sequence[Retrained], planned: int
) -> Difference | None:
    """The difference in a quantity; None without a seed that both arms have.

    Args:
        quantity: The quantity.
        found: Numbers of the comparison's retrainings.
        runoff: Retrainings of the runoff.
        planned: Pairs that were planned when the comparison began.
    """
    pairs = paired(found, quantity)
    if not pairs:
        return None
    default, incumbent = (tuple(numbers) for numbers in zip(*pairs.values(), strict=True))
    differences = np.subtract(incumbent, default)
    images, groups = _images(quantity, found, tuple(pairs))
    known = Difference(
        quantity,
        tuple(pairs),
        default,
        incumbent,
        mean=float(differences.mean()),
        groups=groups,
        images=math.sqrt(images) if groups >= FEWEST_GROUPS else None,
    )
    if len(pairs) < 2:
        return known
    spread = intervals.moderated(default, incumbent, _of_runoff(quantity, runoff))
    images = (known.images or 0.0) ** 2
    precision = Precision(spread, len(pairs), planned, images, groups)
    known = replace(known, spread=math.sqrt(spread.variance), precision=precision)
    return _with_intervals(known, precision) if len(pairs) >= FIRST_LOOK else known


def _with_intervals(known: Difference, precision: Precision) -> Difference:
    pairs, mean = np.asarray(float(len(known.seeds))), known.mean
    half, inner = (float(precision.half_widths(pairs, sides)) for sides in (2, 1))
    return replace(
        known,
        low=mean - half,
        high=mean + half,
        inner_low=mean - inner,
        inner_high=mean + inner,
    )


def _images(quantity: Quantity, found: Sequence[Scored], seeds: Sequence[int]) -> tuple[float, int]:
    """Variance that the choice of images adds, and the number of groups that were told apart."""
    if quantity.name == "loss":
        return 0.0, 0
    default, incumbent = (
        [
            each.groups(quantity.part)
            for each in found
            if each.arm == arm and each.seed in seeds and quantity.part in each.parts
        ]
        for arm in (DEFAULT_ARM, INCUMBENT_ARM)
    )
    names = [each.label for each in classes(found, quantity.part)]
    label = names.index(quantity.label) if quantity.label is not None else None
    return jackknife(default, incumbent, label)


def classes(found: Sequence[Scored], part: str) -> list[Quantity]:
    """IoU of each class of a part, in the order of the classes."""
    tables = (each.parts.get(part, {}).get("iou") for each in found)
    names = next((each for each in tables if isinstance(each, Mapping) and each), {})
    return [Quantity(part, "iou", str(name)) for name in names]


def _of_runoff(quantity: Quantity, runoff: Sequence[Retrained]) -> Spread | None:
    """Spread of the same number on the validation part, between candidates of the runoff."""
    told = replace(quantity, part="validation")
    found = {(each.arm, each.seed): each.number(told) for each in scored(runoff)}
    ranks, seeds = (sorted({key[place] for key in found}) for place in (0, 1))
    table = [[found.get((rank, seed)) for seed in seeds] for rank in ranks]
    return intervals.runoff_spread(np.array(table, dtype=np.float64))
