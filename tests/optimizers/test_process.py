"""The Gaussian process, against the textbook's formulas written out."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import expit

from bohb_seg.optimizers._process import (
    Fit,
    Kernel,
    Places,
    Posterior,
    embedded,
    evidence,
    joined,
    normal_scores,
    owners_of,
    prior,
)

CHOICES = np.array([0, 3, 0, 2, 0])
OWNERS = owners_of(CHOICES)
SEEDS = st.integers(0, 10_000)


def points_of(draw, count):
    """Numbers and choices, a third of the third and fourth dimension inactive."""
    points = draw.random((count, len(CHOICES)))
    for column in np.flatnonzero(CHOICES):
        points[:, column] = draw.integers(CHOICES[column], size=count)
    points[draw.random(count) < 0.3, 2] = np.nan
    points[draw.random(count) < 0.3, 3] = np.nan
    return points


def places_of(draw, count):
    features = embedded(points_of(draw, count), CHOICES)
    budgets = draw.choice([0.0, 1 / 3, 2 / 3, 1.0], size=count)
    return Places(features, budgets, draw.integers(max(count // 2, 1), size=count))


def parameters_of(draw):
    mean, deviation = prior(OWNERS)
    return mean + 0.5 * deviation * draw.standard_normal(len(mean))


def covariance(parameters, some, others, observed):
    """Every entry by itself."""
    lengths, share = np.exp(parameters[:-4]), expit(parameters[-3])
    budget_length, luck, noise = np.exp(parameters[[-4, -2, -1]])
    result = np.empty((len(some.budgets), len(others.budgets)))
    for i, x in enumerate(some.features):
        for j, y in enumerate(others.features):
            r = math.sqrt(5 * sum(((x - y) / lengths[OWNERS]) ** 2))
            t = math.sqrt(3) * abs(some.budgets[i] - others.budgets[j]) / budget_length
            space = (1 + r + r * r / 3) * math.exp(-r)
            budgets = share * (1 + t) * math.exp(-t) + 1 - share
            result[i, j] = space * budgets
            if observed:
                result[i, j] += luck * (some.trials[i] == others.trials[j]) + noise * (i == j)
    return result


@settings(max_examples=20, deadline=None)
@given(SEEDS, st.integers(1, 12))
def test_the_posterior_is_that_of_the_textbook(seed, count):
    draw = np.random.default_rng(seed)
    places, new, values = places_of(draw, count), places_of(draw, 4), draw.normal(size=count)
    parameters = parameters_of(draw)
    means, deviations = Posterior(Kernel(parameters, OWNERS), places, values).predict(new)
    inverse = np.linalg.inv(covariance(parameters, places, places, observed=True))
    across = covariance(parameters, new, places, observed=False)
    np.testing.assert_allclose(means, across @ inverse @ values, atol=1e-8)
    variances = 1 - np.einsum("ij,jk,ik->i", across, inverse, across)
    np.testing.assert_allclose(deviations**2, variances, atol=1e-8)


@settings(max_examples=20, deadline=None)
@given(SEEDS, st.integers(1, 12))
def test_the_evidence_is_that_of_the_textbook_and_its_gradient_its_slope(seed, count):
    draw = np.random.default_rng(seed)
    places, values, parameters = (
        places_of(draw, count),
        draw.normal(size=count),
        parameters_of(draw),
    )

    def reference(parameters):
        matrix = covariance(parameters, places, places, observed=True)
        mean, deviation = prior(OWNERS)
        misfit = values @ np.linalg.solve(matrix, values) + np.linalg.slogdet(matrix)[1]
        return 0.5 * misfit + 0.5 * sum(((parameters - mean) / deviation) ** 2)

    found, gradient = evidence(parameters, places, values, OWNERS)
    assert found == pytest.approx(reference(parameters))
    steps = 1e-5 * np.eye(len(parameters))
    slopes = [(reference(parameters + s) - reference(parameters - s)) / 2e-5 for s in steps]
    np.testing.assert_allclose(gradient, slopes, rtol=1e-4, atol=1e-5)


@settings(max_examples=20, deadline=None)
@given(SEEDS)
def test_the_order_of_observations_does_not_matter(seed):
    draw = np.random.default_rng(seed)
    places, new, values = places_of(draw, 15), places_of(draw, 4), draw.normal(size=15)
    kernel, order = Kernel(parameters_of(draw), OWNERS), draw.permutation(15)
    one = Posterior(kernel, places, values).predict(new)
    other = Posterior(kernel, places[order], values[order]).predict(new)
    np.testing.assert_allclose(one, other, atol=1e-8)


@settings(max_examples=20, deadline=None)
@given(SEEDS)
def test_trials_to_come_make_it_surer_and_leave_the_means(seed):
    draw = np.random.default_rng(seed)
    places, new, values = places_of(draw, 10), places_of(draw, 6), draw.normal(size=10)
    coming = Places(new.features[:2], np.ones(2), np.array([-1, -2]))
    kernel = Kernel(parameters_of(draw), OWNERS)
    means, deviations = Posterior(kernel, places, values).predict(new)
    same, surer = Posterior(kernel, joined(places, coming), values).predict(new)
    np.testing.assert_allclose(same, means, atol=1e-9)
    assert (surer <= deviations + 1e-9).all()
    assert surer[0] < deviations[0]


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.integers(1, 40))
def test_any_parameters_within_reach_give_a_covariance(seed, count):
    """Also where observations repeat each other."""
    draw = np.random.default_rng(seed)
    mean, deviation = prior(OWNERS)
    parameters = mean + draw.uniform(-3, 3, size=len(mean)) * deviation
    few = places_of(draw, 3)
    places = joined(places_of(draw, count), few[draw.integers(3, size=20)])
    matrix = Kernel(parameters, OWNERS).within(places)
    np.testing.assert_allclose(matrix, matrix.T)
    assert np.linalg.eigvalsh(matrix).min() > 0


def test_inactive_values_are_equally_far_from_all_active_ones():
    nan = np.nan
    points = np.array([[0.2, 0, 0.0, nan, nan], [0.9, 1, nan, 0, nan], [0.2, 0, 1.0, 1, nan]])
    features = embedded(points, CHOICES)
    squares = (features[:, None] - features) ** 2
    by_dimension = np.array([squares[..., own == OWNERS].sum(axis=-1) for own in range(5)])
    first_to_second, first_to_third, second_to_third = (
        np.sqrt(by_dimension[:, i, j]) for i, j in [(0, 1), (0, 2), (1, 2)]
    )
    half = math.sqrt(0.5)
    expected = [2 * math.sin(0.35), 1, 1, half, 0]
    np.testing.assert_allclose(first_to_second, expected, atol=1e-12)
    np.testing.assert_allclose(first_to_third, [0, 0, 2 * math.sin(0.5), half, 0], atol=1e-12)
    np.testing.assert_allclose(second_to_third, [2 * math.sin(0.35), 1, 1, 1, 0], atol=1e-12)


@given(st.lists(st.one_of(st.integers(-5, 5), st.just(math.inf)), min_size=1, max_size=30))
def test_scores_are_finite_fall_with_the_loss_and_are_equal_where_losses_are(losses):
    scores = normal_scores(np.array(losses, float))
    assert np.isfinite(scores).all()
    for (a, x), (b, y) in zip(
        zip(losses, scores, strict=True), zip(losses[1:], scores[1:], strict=True), strict=False
    ):
        assert (x > y) == (a < b)
        assert (x == y) == (a == b)


def observed(count):
    """Places, and values that the first dimension decides."""
    draw = np.random.default_rng(0)
    places = places_of(draw, count)
    values = np.cos(6 * places.features[:, 0]) + 0.01 * draw.normal(size=count)
    return places, normal_scores(values)


def test_the_fit_finds_the_dimension_that_matters():
    places, values = observed(60)
    fit = Fit(OWNERS)
    start = fit.parameters
    fit.improve(places, values, 40)
    before, after = (evidence(p, places, values, OWNERS)[0] for p in (start, fit.parameters))
    assert after < before - 5
    assert np.argmin(fit.parameters[:-4]) == 0


def test_a_few_steps_at_a_time_lead_to_the_most_probable_parameters():
    """While results come in, as in a run; L-BFGS knows the end."""
    places, values = observed(60)
    fit, (mean, deviation) = Fit(OWNERS), prior(OWNERS)
    for count in range(8, 61):
        some = np.arange(count)
        fit.improve(places[some], values[some], 4)
    data, bounds = (
        (places, values, OWNERS),
        np.transpose([mean, mean]) + 3 * np.outer(deviation, [-1, 1]),
    )
    best = minimize(evidence, mean, data, jac=True, method="L-BFGS-B", bounds=bounds).fun
    assert evidence(fit.parameters, *data)[0] < best + 0.5
    assert evidence(mean, *data)[0] > best + 5


def test_parameters_stay_within_reach_of_the_prior():
    places, values = observed(30)
    fit, (mean, deviation) = Fit(OWNERS), prior(OWNERS)
    fit.improve(places, 1e6 * values, 60)
    assert (np.abs(fit.parameters - mean) <= 3 * deviation + 1e-9).all()
    assert np.isfinite(evidence(fit.parameters, places, values, OWNERS)[0])
