"""Runs on other data tell where to begin, and are forgotten."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as tried
from hypothesis import strategies as st

from bohb_seg import optimizers
from bohb_seg.errors import SettingsError
from bohb_seg.optimizers._expectation import weight
from bohb_seg.optimizers.bohb import build
from bohb_seg.search.hyperband import Ladder
from bohb_seg.spaces.formats import configspace, loading
from bohb_seg.trials import Observation

LADDER = Ladder(1, 27, 3)


def space():
    return loading.load("counting")


def drawn(count, seed=0):
    some = space()
    some.seed(seed)
    return [configspace.plain(point) for point in some.sample_configuration(count)]


def earlier(loss=lambda c: (c["x0"] - 0.8) ** 2, names=None, count=40):
    """A run in which x0 decides, at three budgets, with a training that diverged."""
    found = [
        Observation({n: v for n, v in c.items() if n in (names or c)}, budget, loss(c) / budget)
        for number, c in enumerate(drawn(count))
        for budget in (3.0, 9.0, 81.0)[: 1 + number % 3]
    ]
    return [*found, Observation({"x0": 0.1, "c0": 0}, 3.0, None)]


def suggestions(*runs, count=24):
    optimizer = build(space(), LADDER, seed=1)
    optimizer.expect(runs)
    return [optimizer.suggest() for _ in range(count)]


def test_a_search_begins_where_another_ended():
    picked = [each.configuration for each in suggestions(earlier()) if each.model_based]
    assert len(picked) >= 6  # before there is a single result; the others are random
    assert np.mean([abs(each["x0"] - 0.8) < 0.2 for each in picked]) > 0.7  # at random: .4


def test_only_the_order_of_the_losses_counts():
    others = [
        each._replace(loss=None if each.loss is None else 1e6 + math.exp(9 * each.loss))
        for each in earlier()
    ]
    assert suggestions(others) == suggestions(earlier())


def test_a_hyperparameter_that_the_run_did_not_have_says_nothing():
    optimizer = build(space(), LADDER, seed=1)
    optimizer.expect([earlier(names=("x0", "c0", "elsewhere"))])
    points = np.array([optimizer._encoding.encode(each) for each in drawn(30, seed=5)])
    moved = points.copy()
    x1 = [index for index, name in enumerate(optimizer._encoding._tuned) if name == "x1"]
    moved[:, x1] = 1 - moved[:, x1]
    expected = [optimizer._expectation(optimizer._features(each)) for each in (points, moved)]
    assert np.allclose(*expected, rtol=1e-12)
    assert expected[0].std() > 0.1


@pytest.mark.parametrize("runs", [(), ([],), ([Observation({"elsewhere": 1}, 3.0, 0.5)],)])
def test_without_anything_to_learn_a_search_is_as_always(runs):
    assert not any(each.model_based for each in suggestions(*runs))


def test_several_runs_count_together():
    low = earlier(lambda c: (c["x1"] - 0.2) ** 2)
    picked = [each.configuration for each in suggestions(earlier(), low) if each.model_based]
    assert np.mean([each["x0"] for each in picked]) > 0.55
    assert np.mean([each["x1"] for each in picked]) < 0.45


@tried(deadline=None)
@given(st.integers(0, 10**6))
def test_an_expectation_fades(count):
    assert 0 < weight(count + 1) < weight(count) <= weight(0) == 1
    assert weight(10) == 0.5
    assert weight(90) == 0.1


def test_a_wrong_guess_is_forgotten():
    """After two brackets that contradict it, the search picks where its own results are good."""
    optimizer = build(space(), LADDER, seed=1)
    optimizer.expect([earlier()])
    for number, configuration in enumerate(drawn(90, seed=3)):
        loss = (configuration["x0"] - 0.2) ** 2
        optimizer.observe(configuration, (1.0, 3.0, 27.0)[number % 3], loss)
    found = [each for each in (optimizer.suggest() for _ in range(12)) if each.model_based]
    assert np.median([each.configuration["x0"] for each in found]) == pytest.approx(0.2, abs=0.15)


@pytest.mark.parametrize("name", ["random", "hyperband", "bohb-kde"])
def test_an_optimizer_that_cannot_learn_of_other_data_says_so(name):
    with pytest.raises(SettingsError, match=f"--prior: the optimizer {name} learns nothing"):
        optimizers.build(name, space(), LADDER, 0).expect(())
