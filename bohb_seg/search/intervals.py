"""Intervals that stay true however often one looks: level of a look, moderated variance.

Both arms are retrained seed by seed, and after the third pair the interval of their difference is
looked at again and again. With 95 % at each look, the truth would lie outside at some look in far
more than 5 of 100 runs. So each look has its own, smaller share of the error (Jennison and
Turnbull, "Interim Analyses: The Repeated Confidence Interval Approach", JRSS B 51, 1989). The
shares follow from how many pairs were planned before the first look, and leave some for pairs that
are added later. ``benchmarks/verdict.py`` computes the constants, and measures what the rule does.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

Numbers = NDArray[np.float64]

FIRST_LOOK = 3
"""Pairs of seeds from which on the intervals are looked at."""
LAST_LEVELS = {
    3: 0.045, 4: 0.037, 5: 0.035, 6: 0.034, 8: 0.032, 10: 0.031, 20: 0.0295, 50: 0.028, 300: 0.026,
}  # fmt: skip
"""Level of the last look, by the pairs that were planned: all looks together err in 4.5 % of the
comparisons without a difference."""
RISE = 4.0
"""Power of the number of pairs with which the levels rise until the last look. Early looks are
cheap this way, and the last one is nearly as sharp as if it were the only one (O'Brien and Fleming,
Biometrics 35, 1979). A lower power finds large differences earlier, and small ones less often."""
LATER, FALL = 0.05, 1.0
"""Share of the last level that pairs beyond the planned ones begin with, and the power of their
number with which it falls: however many are added, the error stays below 5 %."""
ARMS_WORTH = 1.0
"""Degrees of freedom that the arms' own spreads count at most."""
RUNOFF_WORTH = 1.0
"""Degrees of freedom that the runoff counts. It is scored on other images: in the
retrainings under ``results/``, the variance on the test tiles is .9 to 6.5 times that on the
validation tiles. An estimate that is off by such factors is worth a degree or two, however many
retrainings it comes from."""
AGREES = 4.0
"""Factor by which the runoff's variance may differ to count. Without it a runoff with one wild
candidate would hide every difference, and a still one would find differences that are none."""


@dataclass(frozen=True)
class Spread:
    """Variance of a difference between two arms with the same seed.

    Args:
        variance: Its estimate.
        freedom: Degrees of freedom of the estimate.
    """

    variance: float
    freedom: float


def level(pairs: Numbers, planned: int) -> Numbers:
    """Share of the error that the look at so many pairs of seeds has, two-sided.

    Args:
        pairs: Numbers of pairs, of any shape.
        planned: Pairs that were planned before the first look.
    """
    last = np.interp(math.log(planned), np.log([*LAST_LEVELS]), [*LAST_LEVELS.values()])
    done = pairs / max(planned, FIRST_LOOK)
    return np.asarray(last * np.where(done <= 1, done**RISE, LATER / np.maximum(done, 1) ** FALL))


def moderated(
    default: Sequence[float], incumbent: Sequence[float], runoff: Spread | None
) -> Spread:
    """Moderated variance of paired differences, as that of limma (Smyth, SAGMB 3(1), 2004).

    The variances of both arms add up to what the differences would have if seeds did nothing to
    both alike; that is too much rather than too little. The more alike the seeds act, or the more
    one arm scatters than the other, the less this sum says. The runoff counts if it agrees.

    Args:
        default: One number per seed, at least two.
        incumbent: The same of the other arm.
        runoff: Variance between candidates of the runoff with the same seed; None without one.
    """
    own = len(default) - 1
    paired = float(np.var(np.subtract(incumbent, default), ddof=1))
    before, after = (float(np.var(arm, ddof=1)) for arm in (default, incumbent))
    arms = before + after
    worth = 0.0
    if before > 0 and after > 0:
        alike = (arms - paired) / 2 / math.sqrt(before) / math.sqrt(after)
        share = before / arms
        worth = ARMS_WORTH * 4 * share * (1 - share) * min(1.0, max(0.0, 1 - max(alike, 0.0)))
    known = Spread((own * paired + worth * arms) / (own + worth), own + worth)
    if runoff is None or not known.variance / AGREES < runoff.variance < known.variance * AGREES:
        return known
    freedom = known.freedom + RUNOFF_WORTH
    total = known.freedom * known.variance + RUNOFF_WORTH * runoff.variance
    return Spread(total / freedom, freedom)


@dataclass(frozen=True)
class Precision:
    """All that the width of an interval follows from, but the number of pairs.

    Args:
        spread: Variance of the difference, estimated after ``pairs`` pairs.
        pairs: Pairs that there are.
        planned: Pairs that were planned before the first look.
        images: Variance of the mean difference that comes from the choice of images.
        groups: Groups of images behind it.
    """

    spread: Spread
    pairs: int
    planned: int
    images: float = 0.0
    groups: int = 0

    def half_widths(self, pairs: Numbers, sides: int = 2) -> Numbers:
        """Half the width of the interval after so many pairs, if the spread stays as it is.

        Args:
            pairs: Numbers of pairs, of any shape.
            sides: 2: the level is shared by both ends; 1: each end has all of it.
        """
        seeds = self.spread.variance / pairs
        freedom = self.spread.freedom + pairs - self.pairs
        total = seeds + self.images
        if self.images > 0:  # Satterthwaite's degrees of freedom of a sum
            parts = (seeds / total) ** 2 / freedom + (self.images / total) ** 2 / (self.groups - 1)
            freedom = 1 / parts
        return np.asarray(-stdtrit(freedom, level(pairs, self.planned) / sides) * np.sqrt(total))


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
