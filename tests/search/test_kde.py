import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest, truncnorm
from statsmodels.nonparametric.api import KDEMultivariate

from bohb_seg.optimizers._kde import KernelDensity

MIN_BANDWIDTH = 1e-3


def mixed_points(random, count, choices):
    columns = [
        random.integers(levels, size=count) if levels else random.random(count)
        for levels in choices
    ]
    return np.column_stack(columns).astype(float)


def theirs(data, choices, points):
    """Statsmodels' density with HpBandSter's lower bound on the bandwidths."""
    var_type = "".join("u" if levels else "c" for levels in choices)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # no seed given: HpBandSter gives none either
        kde = KDEMultivariate(data, var_type, bw="normal_reference")
        kde.bw = np.clip(kde.bw, MIN_BANDWIDTH, None)
        return np.atleast_1d(kde.pdf(points)), kde.bw


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.sampled_from([0, 0, 1, 2, 3, 7]), min_size=1, max_size=6),
    st.integers(0, 60),
    st.integers(0, 2**32),
)
def test_densities_equal_statsmodels(choices, more, seed):
    random = np.random.default_rng(seed)
    choices = np.array(choices)
    data = mixed_points(random, len(choices) + 2 + more, choices)
    points = mixed_points(random, len(choices) + 20, choices)
    expected, bandwidths = theirs(data, choices, points)
    ours = KernelDensity(data, choices, MIN_BANDWIDTH)
    densities = ours.pdf(points)
    np.testing.assert_allclose(ours.bandwidths, bandwidths, rtol=1e-12)
    assert not np.isnan(densities).any()
    ordinary = np.isfinite(expected)
    np.testing.assert_allclose(densities[ordinary], expected[ordinary], rtol=1e-9, atol=1e-100)
    assert np.isinf(densities[~ordinary]).all()


def test_unseen_level_where_all_data_agree_is_infinite_and_no_nan():
    data = np.column_stack([np.full(5, 0.5), np.full(5, 1.0)])
    density = KernelDensity(data, np.array([0, 3]), MIN_BANDWIDTH)
    far_away = np.array([[0.9, 0.0], [0.9, 1.0], [0.5, 1.0]])
    infinite, nothing, peak = density.pdf(far_away)
    assert (infinite, nothing) == (np.inf, 0.0)
    assert peak == pytest.approx(0.999 / (np.sqrt(2 * np.pi) * MIN_BANDWIDTH))


def test_samples_are_truncated_normals_and_kept_codes():
    data = np.array([[0.1, 2.0]] * 3 + [[0.1, 0.0]] * 1)
    density = KernelDensity(data, np.array([0, 4]), 0.05)
    drawn = density.sample(20_000, 3.0, np.random.default_rng(0))
    expected = truncnorm(-0.1 / 0.15, 0.9 / 0.15, loc=0.1, scale=0.15)
    assert kstest(drawn[:, 0], expected.cdf).pvalue > 1e-3
    width = density.bandwidths[1]
    shares = np.bincount(drawn[:, 1].astype(int), minlength=4) / len(drawn)
    exact = (1 - width) * np.array([0.25, 0, 0.75, 0]) + width / 4
    np.testing.assert_allclose(shares, exact, atol=0.015)
