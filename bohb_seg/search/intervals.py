"""Intervals that stay true however often one looks: level of a look, moderated variance.

Both arms are retrained seed by seed, and after the third pair the interval of their difference is
looked at again and again. With 95 % at each look, the truth would lie outside at some look in far
more than 5 of 100 runs. So each look has its own, smaller share of the error (Jennison and
Turnbull, "Interim Analyses: The Repeated Confidence Interval Approach", JRSS B 51, 1989). The
shares do not depend on how many seeds are planned: more may be added at any time.
``benchmarks/verdict.py`` computes the constants, and measures what the rule does.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

Numbers = NDArray[np.float64]

FIRST_LOOK = 3
"""Pairs of seeds from which on an interval is looked at."""
ERROR = 0.05
"""Chance that an interval excludes the true difference at any look; twice the chance that two
recipes which are delta apart are called equivalent."""
LEVEL, RISE = 0.02, 2.0
"""Level of the look at ten pairs, and the power of the pairs with which it rises until then."""
ARMS_WORTH = 2.0
"""Degrees of freedom that the arms' own spreads count beside those of the paired differences."""
RUNOFF_WORTH = 1.0
"""Degrees of freedom that the runoff counts at most."""


@dataclass(frozen=True)
class Spread:
    """Variance of a difference between two arms with the same seed.

    Args:
        variance: Its estimate.
        freedom: Degrees of freedom of the estimate.
    """

    variance: float
    freedom: float


def level(pairs: Numbers) -> Numbers:
    """Share of the error that the look at so many pairs of seeds has, two-sided."""
    early = np.minimum(pairs / 10, 1) ** RISE
    late = np.minimum(10 / np.maximum(pairs, 1), 1) ** 2
    return np.asarray(LEVEL * early * late)


def moderated(differences: Sequence[float], arms: float, runoff: Spread | None) -> Spread:
    """Moderated variance of paired differences, as that of limma (Smyth, SAGMB 3(1), 2004).

    Args:
        differences: One per seed, at least two.
        arms: Sum of the variances of both arms over the same seeds. Shared seeds make it larger
            than the variance of the differences, never smaller.
        runoff: Variance between candidates of the runoff with the same seed; None without one.
    """
    own = len(differences) - 1
    others = [(arms, ARMS_WORTH)]
    if runoff is not None:
        others.append((runoff.variance, min(RUNOFF_WORTH, runoff.freedom)))
    weight = own + sum(each for _, each in others)
    total = own * float(np.var(differences, ddof=1)) + sum(a * b for a, b in others)
    return Spread(total / weight, weight)


def half_widths(
    pairs: Numbers, spread: Spread, now: int, images: float = 0.0, groups: int = 0
) -> Numbers:
    """Half the width of the interval after so many pairs, if the spread stays as it is.

    Args:
        pairs: Numbers of pairs, of any shape.
        spread: Estimated after ``now`` pairs.
        now: Pairs that there are.
        images: Variance of the mean difference that comes from the choice of images.
        groups: Groups of images behind it.
    """
    seeds = spread.variance / pairs
    freedom = spread.freedom + pairs - now
    total = seeds + images
    if images > 0:  # Satterthwaite's degrees of freedom of a sum
        freedom = total**2 / (seeds**2 / freedom + images**2 / (groups - 1))
    return np.asarray(-stdtrit(freedom, level(pairs) / 2) * np.sqrt(total))


def runoff_spread(losses: NDArray[np.float64]) -> Spread | None:
    """Variance of the difference between two candidates with the same seed, from a runoff.

    Args:
        losses: (candidates, seeds); NaN where a retraining failed.

    Returns:
        Twice the mean square that is left without the means of candidates and seeds; None if there
        are fewer than two of either.
    """
    whole = losses[:, ~np.isnan(losses).any(axis=0)] if losses.size else losses
    if min(whole.shape) < 2:
        return None
    rest = whole - whole.mean(axis=0) - whole.mean(axis=1, keepdims=True) + whole.mean()
    freedom = (whole.shape[0] - 1) * (whole.shape[1] - 1)
    return Spread(2 * float((rest**2).sum()) / freedom, float(freedom))
