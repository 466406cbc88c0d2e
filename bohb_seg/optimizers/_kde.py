"""Kernel densities of mixed data, equal to those of statsmodels' ``KDEMultivariate``, vectorised.

A product of one kernel per dimension: Gaussian where the dimension is continuous, Aitchison and
Aitken's where it is unordered. Bandwidths by the normal reference rule. Kept as they are there,
because HpBandSter is the reference to be equal to:

- the rule is used for unordered dimensions too, where the standard deviation is that of the codes;
  a bandwidth may exceed 1 and the kernel become negative;
- the number of levels is counted in the data, not in the space. A dimension in which all data agree
  has one level, and any other value gets the density h / 0. That infinity is given on purpose and
  never multiplied (statsmodels returns NaN where a Gaussian underflows beside it).

Sources: Racine, "Nonparametric Econometrics: A Primer", 2008; Aitchison and Aitken, "Multivariate
binary discrimination by the kernel method", Biometrika 63, 1976.
"""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from scipy.special import ndtr, ndtri

Floats = NDArray[np.float64]


class KernelDensity:
    """A density fitted to data.

    Args:
        data: (n, d), n >= 1, no NaN; continuous columns in [0, 1], unordered ones codes 0, 1, ...
        choices: (d,) how many values an unordered dimension has in the space; 0: continuous.
        min_bandwidth: Where the data agree, a little width is left.
    """

    def __init__(self, data: Floats, choices: NDArray[np.int64], min_bandwidth: float) -> None:
        self.data, self._choices = data, choices
        count, dimensions = data.shape
        scott = 1.06 * data.std(axis=0) * count ** (-1 / (4 + dimensions))
        self.bandwidths: Floats = np.maximum(scott, min_bandwidth)
        self._continuous = np.flatnonzero(choices == 0)
        self._tables = [self._table(column) for column in np.flatnonzero(choices)]

    def pdf(self, points: Floats) -> Floats:
        """The density at ``points`` (m, d) -> (m,); never NaN, infinite at unseen levels."""
        widths = self.bandwidths[self._continuous]
        scaled = self.data[:, self._continuous] / widths
        kernels = self._gaussian(points[:, self._continuous] / widths, scaled)
        infinite = np.zeros(len(points), bool)
        for column, table in self._tables:
            factors = table[points[:, column].astype(np.intp)]
            unseen = np.isinf(factors[:, 0])
            infinite |= unseen
            factors[unseen] = 0
            kernels *= factors
        density: Floats = kernels.sum(axis=1) / (len(self.data) * widths.prod())
        density[infinite] = math.inf
        return density

    def sample(self, count: int, widening: float, random: np.random.Generator) -> Floats:
        """Draws ``count`` points (count, d) around the data.

        Args:
            count: How many.
            widening: Factor on the bandwidths of continuous dimensions, which are cut to [0, 1].
            random: Where the randomness comes from.
        """
        points: Floats = self.data[random.integers(len(self.data), size=count)]
        for column, choices in enumerate(self._choices):
            width, centres = self.bandwidths[column], points[:, column]
            if choices:
                keep = random.random(count) < 1 - width
                points[:, column] = np.where(keep, centres, random.integers(choices, size=count))
            else:
                points[:, column] = _truncated_normal(centres, width * widening, random)
        return points

    def _gaussian(self, points: Floats, data: Floats) -> Floats:
        if not len(self._continuous):
            return np.ones((len(points), len(data)))
        kernels: Floats = cdist(points, data, "sqeuclidean")
        kernels *= -0.5
        np.exp(kernels, out=kernels)
        kernels *= (2 * math.pi) ** (-len(self._continuous) / 2)
        return kernels

    def _table(self, column: int) -> tuple[int, Floats]:
        """Kernel of every value of an unordered dimension (rows) at every datum (columns)."""
        codes = self.data[:, column].astype(np.intp)
        width, levels = self.bandwidths[column], len(np.unique(codes))
        elsewhere = width / (levels - 1) if levels > 1 else math.inf
        table = np.full((self._choices[column], len(codes)), elsewhere)
        table[codes, np.arange(len(codes))] = 1 - width
        return column, table


def _truncated_normal(centres: Floats, width: float, random: np.random.Generator) -> Floats:
    """Normal variates cut to [0, 1], by inverting the distribution function."""
    low, high = ndtr(-centres / width), ndtr((1 - centres) / width)
    quantiles = low + random.random(len(centres)) * (high - low)
    drawn: Floats = np.clip(centres + width * ndtri(quantiles), 0, 1)
    return drawn
