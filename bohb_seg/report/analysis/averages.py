"""Mean, median and spread of numbers of any size.

People write 1e308 for "bad", and workers report it as a loss. The library's functions overflow on
the way to a result that would fit.
"""

import math
import statistics
import sys
from collections.abc import Callable, Sequence

SCALE = 2.0**-40
"""A power of two, by which a division is exact; room for a trillion of the largest numbers."""


def mean(values: Sequence[float]) -> float:
    """Arithmetic mean of at least one finite number."""
    return _fitting(statistics.fmean, values)


def median(values: Sequence[float]) -> float:
    """Median of at least one finite number."""
    return _fitting(statistics.median, values)


def spread(values: Sequence[float]) -> float:
    """Standard deviation of at least two finite numbers; at most the largest float."""
    return _fitting(statistics.stdev, values)


def _fitting(function: Callable[[Sequence[float]], float], values: Sequence[float]) -> float:
    try:
        result = float(function(values))
        if math.isfinite(result):
            return result
    except OverflowError:
        pass
    large = float(function([value * SCALE for value in values])) / SCALE
    return math.copysign(min(abs(large), sys.float_info.max), large)
