import itertools
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest, norm, truncnorm
from statsmodels.nonparametric.api import KDEMultivariate
from statsmodels.nonparametric.kernels import aitchison_aitken

from bohb_seg.optimizers._kde import KernelDensity

MIN_BANDWIDTH = 1e-3  # HpBandSter's
CHOICES = st.lists(st.sampled_from([0, 0, 1, 2, 3, 7]), min_size=1, max_size=6)
SEEDS = st.integers(0, 2**32)


def mixed_points(random, count, choices):
    columns = [
        random.integers(levels, size=count) if levels else random.random(count)
        for levels in choices
    ]
    return np.column_stack(columns).astype(float)


def fitted(data, choices):
    return KernelDensity(data, choices, np.full(len(choices), MIN_BANDWIDTH))


def theirs(data, choices):
    """Statsmodels' density with HpBandSter's lower bound on the bandwidths."""
    var_type = "".join("u" if levels else "c" for levels in choices)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # no seed given: HpBandSter gives none either
        kde = KDEMultivariate(data, var_type, bw="normal_reference")
    kde.bw = np.clip(kde.bw, MIN_BANDWIDTH, None)
    return kde


@settings(max_examples=80, deadline=None)
@given(CHOICES, st.integers(0, 60), SEEDS)
def test_densities_equal_statsmodels_where_all_levels_are_seen(choices, more, seed):
    random = np.random.default_rng(seed)
    choices = np.array([0 if levels == 1 else levels for levels in choices])
    data = mixed_points(random, 7 + more, choices)
    for column in np.flatnonzero(choices):
        data[: choices[column], column] = np.arange(choices[column])
    ours, kde = fitted(data, choices), theirs(data, choices)
    uniform = np.where(choices, 1 - 1 / np.maximum(choices, 1), np.inf)
    np.testing.assert_allclose(ours.bandwidths, np.minimum(kde.bw, uniform), rtol=1e-12)
    kde.bw = ours.bandwidths
    points = mixed_points(random, 20, choices)
    np.testing.assert_allclose(ours.pdf(points), kde.pdf(points), rtol=1e-9, atol=1e-100)


@settings(max_examples=80, deadline=None)
@given(CHOICES, st.integers(1, 30), SEEDS)
def test_kernels_are_statsmodels_with_the_levels_of_the_space(choices, count, seed):
    random = np.random.default_rng(seed)
    choices = np.array([2 if levels == 1 else levels for levels in choices])
    data = mixed_points(random, count, choices)
    data = np.where(choices > 2, data // 2, data)  # some levels are missing
    ours = fitted(data, choices)
    (point,) = mixed_points(random, 1, choices)
    kernels = [
        aitchison_aitken(width, column, value, num_levels=levels)
        if levels
        else norm(column, width).pdf(value)
        for column, width, value, levels in zip(
            data.T, ours.bandwidths, point, choices, strict=True
        )
    ]
    expected = np.prod(kernels, axis=0).mean()
    np.testing.assert_allclose(ours.pdf(point[None]), [expected], rtol=1e-9, atol=1e-100)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=4), st.integers(1, 30), SEEDS)
def test_unordered_densities_are_positive_and_sum_to_one(choices, count, seed):
    choices = np.array(choices)
    random = np.random.default_rng(seed)
    seen = random.integers(1, choices, endpoint=True)  # others may have no datum at all
    density = fitted(mixed_points(random, count, seen), choices)
    everywhere = np.array(list(itertools.product(*map(range, choices))), float)
    densities = density.pdf(everywhere)
    assert (densities > 0).all()
    assert densities.sum() == pytest.approx(1)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=30))
def test_a_level_seen_more_often_is_not_less_likely(codes):
    data, levels = np.array(codes, float)[:, None], np.arange(5.0)[:, None]
    densities = fitted(data, np.array([5])).pdf(levels)
    for one, other in itertools.combinations(range(5), 2):
        if codes.count(one) > codes.count(other):
            assert densities[one] > densities[other] - 1e-12


def test_where_all_agree_the_least_width_is_shared_by_the_other_levels():
    density = KernelDensity(np.full((6, 1), 2.0), np.array([4]), np.array([0.3]))
    np.testing.assert_allclose(density.pdf(np.arange(4.0)[:, None]), [0.1, 0.1, 0.7, 0.1])


def test_a_continuous_dimension_keeps_a_little_width():
    density = fitted(np.full((6, 1), 0.5), np.array([0]))
    peak = 1 / (np.sqrt(2 * np.pi) * MIN_BANDWIDTH)
    np.testing.assert_allclose(density.pdf(np.array([[0.5], [0.9]])), [peak, 0.0])


def test_samples_are_truncated_normals_and_kept_codes():
    data = np.array([[0.1, 2.0]] * 3 + [[0.1, 0.0]] * 1)
    density = KernelDensity(data, np.array([0, 4]), np.array([0.05, 0.05]))
    drawn = density.sample(20_000, 3.0, np.random.default_rng(0))
    expected = truncnorm(-0.1 / 0.15, 0.9 / 0.15, loc=0.1, scale=0.15)
    assert kstest(drawn[:, 0], expected.cdf).pvalue > 1e-3
    width = density.bandwidths[1]
    shares = np.bincount(drawn[:, 1].astype(int), minlength=4) / len(drawn)
    exact = (1 - width) * np.array([0.25, 0, 0.75, 0]) + width / 4
    np.testing.assert_allclose(shares, exact, atol=0.015)


def test_a_level_is_kept_as_rarely_as_hpbandster_keeps_it():
    """With a bandwidth beyond 1 never: levels are drawn evenly."""
    data = np.array([[0.0]] * 3 + [[3.0]] * 3)
    drawn = fitted(data, np.array([4])).sample(20_000, 3.0, np.random.default_rng(0))
    shares = np.bincount(drawn[:, 0].astype(int), minlength=4) / len(drawn)
    np.testing.assert_allclose(shares, np.full(4, 0.25), atol=0.015)
