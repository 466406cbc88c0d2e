"""Kernel densities of mixed data, vectorised: those of statsmodels' ``KDEMultivariate``, mended.

The kernel is a product of one kernel per dimension: Gaussian where the dimension is continuous,
Aitchison and Aitken's where it is unordered. Bandwidths follow the normal reference rule. In
unordered dimensions they follow from the standard deviation of the codes, because HpBandSter is the
reference to be equal to. Two things differ from it, in unordered dimensions only, and not where the
data show every level and the bandwidth is legal:

- The kernel gives ``1 - h`` to the level of the datum and ``h / (c - 1)`` to each other level.
  HpBandSter counts ``c`` in the data. Levels without observations would then get too much density,
  or a division by zero if all data agree. Here ``c`` is the number of levels in the space, so a
  density sums to one over them.
- ``h`` is at most ``(c - 1) / c``, where the kernel is uniform. HpBandSter often exceeds it with
  three or more levels and few data: then a level is the less likely the more often it was seen,
  and above 1 the kernel is negative. Only densities are limited here. Points are drawn with the
  bandwidth as it was: candidates are the same, but are judged differently.

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
        choices: (d,) number of values of an unordered dimension in the space; 0: continuous.
        min_bandwidths: (d,) bandwidths where the data agree.
    """

    def __init__(self, data: Floats, choices: NDArray[np.int64], min_bandwidths: Floats) -> None:
        self.data, self._choices = data, choices
        count, dimensions = data.shape
        scott = 1.06 * data.std(axis=0) * count ** (-1 / (4 + dimensions))
        self._reference: Floats = np.maximum(scott, min_bandwidths)
        self.bandwidths: Floats = np.minimum(self._reference, _widest(choices))
        self._continuous = np.flatnonzero(choices == 0)
        self._tables = [self._table(column) for column in np.flatnonzero(choices)]

    def pdf(self, points: Floats) -> Floats:
        """The density at ``points`` (m, d) -> (m,)."""
        widths = self.bandwidths[self._continuous]
        scaled = self.data[:, self._continuous] / widths
        kernels = self._gaussian(points[:, self._continuous] / widths, scaled)
        for column, table in self._tables:
            kernels *= table[points[:, column].astype(np.intp)]
        density: Floats = kernels.sum(axis=1) / (len(self.data) * widths.prod())
        return density

    def sample(self, count: int, widening: float, random: np.random.Generator) -> Floats:
        """Draws ``count`` points (count, d) around the data.

        Args:
            count: Number of points.
            widening: Factor on the bandwidths of continuous dimensions, which are cut to [0, 1].
            random: Source of randomness.
        """
        points: Floats = self.data[random.integers(len(self.data), size=count)]
        for column, choices in enumerate(self._choices):
            width, centres = self._reference[column], points[:, column]
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
        """An unordered dimension, and the kernel of each of its values (rows) at each datum."""
        codes = self.data[:, column].astype(np.intp)
        width, levels = self.bandwidths[column], self._choices[column]
        table = np.full((levels, len(codes)), width / max(levels - 1, 1))
        table[codes, np.arange(len(codes))] = 1 - width
        return column, table


def _widest(choices: NDArray[np.int64]) -> Floats:
    """The largest legal bandwidth (d,): without limit where the dimension is continuous."""
    return np.where(choices > 0, 1 - 1 / np.maximum(choices, 1), np.inf)


def _truncated_normal(centres: Floats, width: float, random: np.random.Generator) -> Floats:
    """Normal variates cut to [0, 1], by inverting the distribution function."""
    low, high = ndtr(-centres / width), ndtr((1 - centres) / width)
    quantiles = low + random.random(len(centres)) * (high - low)
    drawn: Floats = np.clip(centres + width * ndtri(quantiles), 0, 1)
    return drawn
