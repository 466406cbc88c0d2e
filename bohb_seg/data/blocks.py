"""The split ``block``: each image is cut into strips, one for each part, with a margin between.

It is for few large images or one orthomosaic: neighbouring patches of one image on both sides would
flatter the score (see :mod:`bohb_seg.data.split`), so patches of different parts of one image are
at least the margin apart, and patches in between belong to no part. An image too small for three
strips is cut in two, or not at all, and no image is cut where whole ones do as well. The places of
the patches suffice for that; pixels of each class, if they are given, are balanced.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise, permutations

import numpy as np
import numpy.typing as npt

from bohb_seg.data.split import SHARES, Split, Unit, deal_units
from bohb_seg.errors import DataError

_MOST_NEAREST, _FEWEST_NEAREST = 7, 2
"""Number of places near the wanted one at which a cut is tried, in one image and in very many."""
_ENOUGH_PLACES = 60
"""Such places in all images together: many images balance each other, few must be tried hard."""

Numbers = npt.NDArray[np.int64]
_Sums = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Blocks:
    """A split into blocks.

    Args:
        split: Numbers of the patches in each part.
        margin: Numbers of the patches that belong to no part.
    """

    split: Split
    margin: Numbers


@dataclass(frozen=True)
class Scene:
    """The patches of one image.

    Args:
        corners: Row and column of every patch's upper left pixel, (patches, 2).
        pixels: Pixels of each class in every patch, (patches, classes); None if unknown.
    """

    corners: Numbers
    pixels: Numbers | None = None

    def __len__(self) -> int:
        return len(self.corners)


def by_block(scenes: Sequence[Scene], size: int, margin: int) -> Blocks:
    """Splits the patches of all images; they are numbered through, image after image.

    The same scenes always give the same split. Large images come first; each takes the strips with
    which the parts so far miss the fewest patches and classes, then are nearest to the wanted
    shares and to equal class frequencies, then lose the fewest patches. If whole images do that
    better, none is cut.

    Args:
        scenes: The images, at least one; either all or none with pixels.
        size: Edge of a patch in pixels.
        margin: Least distance between patches of different parts of one image in pixels.

    Raises:
        DataError: a part gets no patch.
    """
    owner = deal_blocks(scenes, size, margin, SHARES)
    parts = [np.flatnonzero(owner == part) for part in range(len(SHARES))]
    if not all(len(part) for part in parts):
        raise DataError(f"a split into train, validation and test takes {too_few(scenes, margin)}")
    return Blocks(Split(*parts), np.flatnonzero(owner < 0))


def too_few(scenes: Sequence[Scene], margin: int) -> str:
    """The end of a sentence about parts that need more blocks than there are."""
    images = "1 image" if len(scenes) == 1 else f"{len(scenes)} images"
    patches = sum(map(len, scenes))
    return (
        f"blocks that are {margin} pixels apart, but {images} of {patches} patches"
        f" {'does' if len(scenes) == 1 else 'do'} not hold so many; choose a smaller --patch-size,"
        " or --split patch"
    )


def deal_blocks(
    scenes: Sequence[Scene], size: int, margin: int, shares: Sequence[float]
) -> Numbers:
    """The part of every patch, as :func:`by_block` deals them; -1 is the margin.

    Args:
        scenes: The images, at least one; either all or none with pixels.
        size: Edge of a patch in pixels.
        margin: Least distance between patches of different parts of one image in pixels.
        shares: Wanted shares of the patches in the parts; they add up to 1. A part is empty if the
            images are too small.
    """
    counts = [_counted(scene) for scene in scenes]
    tries = [_greedy(scenes, counts, size, margin, shares)]
    if len(scenes) >= len(shares):
        tries.append(_whole(counts, shares))
    together = np.concatenate(counts)
    return min(
        tries,
        key=lambda owner: _badness(_by_part(owner, together, len(shares)), owner, shares),
    )


def _greedy(
    scenes: Sequence[Scene],
    counts: Sequence[_Sums],
    size: int,
    margin: int,
    shares: Sequence[float],
) -> Numbers:
    """The part of every patch, image after image; each image goes where it is missed most."""
    firsts = [0, *accumulate(len(scene) for scene in scenes)]
    sums = np.zeros((len(shares), counts[0].shape[1]))
    nearest = min(_MOST_NEAREST, max(_FEWEST_NEAREST, _ENOUGH_PLACES // len(scenes)))
    owner = np.full(firsts[-1], -1)
    for number in sorted(range(len(scenes)), key=lambda number: (-len(scenes[number]), number)):
        counted = counts[number]
        best = min(
            _arrangements(scenes[number], size, margin, nearest, shares),
            key=lambda owners: _badness(
                sums + _by_part(owners, counted, len(shares)), owners, shares
            ),
        )
        sums += _by_part(best, counted, len(shares))
        owner[firsts[number] : firsts[number + 1]] = best
    return owner


def _whole(counts: Sequence[_Sums], shares: Sequence[float]) -> Numbers:
    """The part of every patch if no image is cut."""
    firsts = [0, *accumulate(map(len, counts))]
    units = [
        Unit(str(number), tuple(range(*ends)), tuple(counted[:, 1:].sum(axis=0).tolist()))
        for number, (ends, counted) in enumerate(zip(pairwise(firsts), counts, strict=True))
    ]
    owner = np.full(firsts[-1], -1)
    for part, numbers in enumerate(deal_units(units, shares)):
        owner[numbers] = part
    return owner


def _counted(scene: Scene) -> _Sums:
    """One and the pixels of each class for every patch, (patches, 1 + classes)."""
    ones = np.ones((len(scene), 1))
    return ones if scene.pixels is None else np.hstack([ones, scene.pixels])


def _by_part(owners: Numbers, counted: _Sums, parts: int) -> _Sums:
    part: npt.NDArray[np.bool_] = owners[None, :] == np.arange(parts)[:, None]
    return part @ counted


def _arrangements(
    scene: Scene, size: int, margin: int, nearest: int, shares: Sequence[float]
) -> list[Numbers]:
    """The part (0, 1, ...; -1 is the margin) of every patch, for several ways to cut the image."""
    whole = [np.full(len(scene), part) for part in range(len(shares))]
    for strips in range(len(shares), 1, -1):
        found = [
            owners
            for axis in (0, 1)
            for order in permutations(range(len(shares)), strips)
            for owners in _strips(scene.corners[:, axis], order, size, margin, nearest, shares)
        ]
        if found:
            return found + whole
    return whole


def _strips(
    starts: Numbers,
    order: Sequence[int],
    size: int,
    margin: int,
    nearest: int,
    shares: Sequence[float],
) -> Iterator[Numbers]:
    """The part of every patch if the image is cut across one axis, parts in this order."""
    wide = np.array([shares[part] for part in order])
    ends = np.unique(starts) + size
    # A cut is the last pixel row (column) of a strip plus one.
    wanted = np.cumsum(wide / wide.sum())[:-1] * (ends[-1] - starts.min()) + starts.min()
    tries = [ends[np.argsort(np.abs(ends - at), kind="stable")[:nearest]] for at in wanted]
    for cuts in np.array(np.meshgrid(*tries)).T.reshape(-1, len(tries)):
        owners = np.full(len(starts), -1)
        lower = starts.min()
        for part, upper in zip(order, [*cuts, ends[-1]], strict=True):
            owners[(starts >= lower) & (starts + size <= upper)] = part
            lower = upper + margin
        if len(set(owners[owners >= 0])) == len(order):
            yield owners


def _badness(sums: _Sums, owners: Numbers, shares: Sequence[float]) -> tuple[int, float]:
    patches, pixels = sums[:, 0], sums[:, 1:]
    # A part without a patch is missing whatever is counted.
    missing = int(((sums == 0) & (sums.sum(axis=0) > 0)).sum())
    off_share = np.abs(patches / max(1, patches.sum()) - shares).sum()
    frequencies = pixels / np.maximum(1, pixels.sum(axis=1, keepdims=True))
    overall = pixels.sum(axis=0) / max(1, pixels.sum())
    unlike = np.abs(frequencies - overall).sum(axis=1).mean() / 2
    return missing, float(off_share + unlike + (owners < 0).mean())
