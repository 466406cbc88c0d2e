"""Simulated comparisons: how often the rule of ``search.verdict`` is right, and how soon.

Run it as ``python -m benchmarks.verdict`` (some minutes); ``levels`` as an argument computes the
constants of ``search.intervals`` anew. Numbers and their meaning: ``benchmarks/README.md``.

A comparison is drawn with its runoff, and the real ``judge`` is asked after every pair of seeds, as
the scheduler does. Differences are in units of the standard deviation of the paired difference.
"""

import argparse
import math
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

from bohb_seg.search.intervals import FIRST_LOOK, LAST_LEVELS, RISE, level
from bohb_seg.search.verdict import Retrained, Terms, Verdict, judge
from bohb_seg.trials import Info

Numbers = NDArray[np.float64]

COMPARISONS = 2000
MOST = 10
EFFECTS = (0.0, 1.0, 1.5)
RUNOFF = 3, 2
"""Candidates and seeds of a runoff."""
CLASSES = 5
PIXELS = 20_000
"""Pixels of a group of images."""


@dataclass(frozen=True)
class World:
    """Spreads from which comparisons are drawn.

    Args:
        name: For the table.
        default: Standard deviation of the default's mIoU over seeds.
        incumbent: The same of the incumbent.
        correlation: Between both arms with the same seed.
        tail: Degrees of freedom of Student's t; None: normal.
        runoff: Factor between the runoff's variance and that of the comparison; it scatters by
            factors of e.
        groups: Groups of test images; 0: the worker does not tell them.
        images: Standard deviation of the true difference from one group to another, in units of
            that over seeds.
    """

    name: str
    default: float = 0.02
    incumbent: float = 0.02
    correlation: float = 0.3
    tail: float | None = None
    runoff: float = 0.6
    groups: int = 0
    images: float = 0.0

    @property
    def spread(self) -> float:
        """Standard deviation of the paired difference."""
        a, b = self.default, self.incumbent
        return math.sqrt(a * a + b * b - 2 * self.correlation * a * b)


WORLDS = (
    World("dubai-64-kde, test tiles", 0.0184, 0.0193),
    World("dubai-64-milestone3, test tiles", 0.0074, 0.0363),
    World("synthetic scenes, 9 epochs", 0.100, 0.038),
    World("seeds do nothing alike", correlation=0.0),
    World("seeds do much alike", correlation=0.6),
    World("heavy tails (t, 3)", tail=3),
    World("heavy tails, unequal arms", 0.0074, 0.0363, tail=3),
    World("runoff a seventh", 0.01, 0.02, runoff=1 / 7),
    World("runoff twenty times", 0.01, 0.02, runoff=20),
    World("8 groups, images as seeds", groups=8, images=1.0),
    World("8 groups, images matter little", groups=8, images=0.3),
)


def noise(world: World, random: np.random.Generator, shape: tuple[int, ...]) -> Numbers:
    """Numbers of variance 1."""
    if world.tail is None:
        return random.standard_normal(shape)
    return random.standard_t(world.tail, shape) / math.sqrt(world.tail / (world.tail - 2))


def comparison(
    world: World, effect: float, random: np.random.Generator
) -> tuple[list[Retrained], list[Retrained]]:
    """All retrainings of a comparison, seed by seed, and those of its runoff."""
    shared, own = noise(world, random, (MOST, 1)), noise(world, random, (MOST, 2))
    both = math.sqrt(world.correlation) * shared + math.sqrt(1 - world.correlation) * own
    numbers = 0.5 + both * (world.default, world.incumbent)
    numbers[:, 1] += effect * world.spread
    places = world.images * world.spread * random.standard_normal(world.groups)
    found = [
        Retrained(arm, seed, 0.5, told(float(numbers[seed, arm]), places * arm))
        for seed in range(MOST)
        for arm in (0, 1)
    ]
    scale = math.exp(random.standard_normal() / 2) * math.sqrt(world.runoff / 2) * world.spread
    again = scale * noise(world, random, RUNOFF)
    runoff = [
        Retrained(rank, seed, 0.5, Info(miou=float(0.5 + number)))
        for (rank, seed), number in np.ndenumerate(again)
    ]
    return found, runoff


def told(miou: float, places: Numbers) -> Info:
    """A worker's table: the mIoU, or confusions of groups with this mIoU and deviation from it."""
    if not len(places):
        return Info(parts={"test": {"miou": miou}})
    matrices = np.array([confusion(miou + place) for place in places])
    whole = matrices.sum(axis=0)
    hits = whole.diagonal()
    ious = hits / (whole.sum(axis=0) + whole.sum(axis=1) - hits)
    groups = {str(index): {"confusion": each.tolist()} for index, each in enumerate(matrices)}
    return Info(parts={"test": {"miou": float(ious.mean()), "groups": groups}})


def confusion(miou: float) -> Numbers:
    """Confusion of classes of equal size of which each has this IoU."""
    iou = min(max(miou, 0.01), 0.99)
    wrong = PIXELS / CLASSES * (1 - 2 * iou / (1 + iou))
    matrix = np.full((CLASSES, CLASSES), wrong / (CLASSES - 1))
    np.fill_diagonal(matrix, PIXELS / CLASSES - wrong)
    return matrix


def looks(found: list[Retrained], runoff: list[Retrained], terms: Terms) -> Verdict:
    """The verdict at the look that ends the comparison."""
    for pairs in range(FIRST_LOOK, MOST + 1):
        verdict = judge(found[: 2 * pairs], runoff, terms)
        if verdict.is_final:
            break
    return verdict


def simulate(world: World, effect: float, delta: float, count: int) -> tuple[Counter[str], float]:
    """How often each answer was given, and the mean number of pairs."""
    random = np.random.default_rng([17, round(100 * effect)])
    answers, pairs = Counter[str](), 0
    for _ in range(count):
        verdict = looks(*comparison(world, effect, random), Terms(delta, MOST))
        answers[verdict.answer] += 1
        pairs += len(verdict.seeds)
    return answers, pairs / count


def row(world: World, count: int) -> str:
    """A line of the table."""
    cells = [f"{world.name:32} {100 * world.spread:5.2f}"]
    for effect in EFFECTS:  # without delta, as the goals are about better and worse
        answers, pairs = simulate(world, effect, 0.0, count)
        wrong = answers["worse"] + (answers["better"] if not effect else 0)
        cells.append(f"{wrong / count:6.1%} {answers['better'] / count:6.1%} {pairs:4.1f}")
    answers, pairs = simulate(world, 0.0, world.spread, count)
    cells.append(f"{answers['equivalent'] / count:6.1%} {pairs:4.1f}")
    answers, _ = simulate(world, 1.0, world.spread, count)  # delta apart
    return " | ".join([*cells, f"{answers['equivalent'] / count:6.1%}"])


def last_levels(count: int = 40_000) -> Iterator[tuple[int, float]]:
    """Level of the last look for each number of planned pairs, so that all looks err in 4.5 %."""
    random = np.random.default_rng(1)
    for planned in LAST_LEVELS:
        size = max(count // max(1, planned // 10), 4000)
        pairs = np.arange(FIRST_LOOK, planned + 1)
        levels = levels_seen(random, size, planned)[:, FIRST_LOOK - 1 :]
        yield planned, float(np.quantile((levels / (pairs / planned) ** RISE).min(axis=1), 0.045))


def levels_seen(random: np.random.Generator, size: int, most: int) -> Numbers:
    """Two-sided levels that paired t-tests reach after 1..most pairs without a difference."""
    differences, pairs = random.standard_normal((size, most)), np.arange(1.0, most + 1)
    means = differences.cumsum(axis=1) / pairs
    squares = (differences**2).cumsum(axis=1) - pairs * means**2
    freedom = np.maximum(pairs - 1, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.abs(means) / np.sqrt(squares / freedom / pairs)
    return np.asarray(np.where(pairs < FIRST_LOOK, 1.0, 2 * stdtr(freedom, -t)))


def error_of_all_looks(planned: int, most: int, count: int = 20_000) -> float:
    """Share of comparisons without a difference that a look decides, up to so many pairs."""
    seen = levels_seen(np.random.default_rng(2), count, most)
    return float((seen < level(np.arange(1.0, most + 1), planned)).any(axis=1).mean())


def main() -> None:
    """Prints the table, or the constants."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="?", choices=("rule", "levels"), default="rule")
    parser.add_argument("--comparisons", type=int, default=COMPARISONS)
    options = parser.parse_args()
    if options.what == "levels":
        for planned, last in last_levels():
            errors = [error_of_all_looks(planned, most) for most in (planned, 10 * planned)]
            print(f"{planned:4} planned: last level {last:.4f}, error {errors[0]:.4f} by then,")
            print(f"     {errors[1]:.4f} by ten times as many")
        return
    print(
        f"{'spreads':32} spread (mIoU points) | no difference: wrong, better, pairs | 1 sd: wrong,"
        " right, pairs | 1.5 sd | equivalent if equal, pairs | if delta apart"
    )
    with ProcessPoolExecutor(2) as pool:
        for line in pool.map(partial(row, count=options.comparisons), WORLDS):
            print(line, flush=True)


if __name__ == "__main__":
    main()
