"""Speeds that are learnt from what ends."""

import random

import pytest

from bohb_seg.search.forecast import Pace
from bohb_seg.search.pacing import Pacing
from bohb_seg.trials import TrialId


def trial(number):
    return TrialId(0, 0, number)


def test_at_first_it_knows_what_was_measured():
    pacing = Pacing({"a": Pace(10, 2), "b": Pace(30, 4)})
    assert pacing.pace("a") == Pace(10, 3)
    assert pacing.pace("c") == Pace(20, 3)  # like the others
    assert pacing.expected("a", trial(0), 5) == pytest.approx(53)


def test_fixed_costs_and_factor_are_learnt():
    """They were measured as 20 s and 1; they are 5 s and 1.5 on average."""
    pacing, chance = Pacing({"a": Pace(10, 20)}), random.Random(1)
    for number in range(300):
        epochs = chance.choice([1, 2, 6])
        factor = chance.uniform(1, 2)
        pacing.learn("a", trial(number), epochs, 5 + epochs * 10 * factor)
    assert pacing.pace("a").fixed == pytest.approx(5, abs=1.5)
    assert pacing.factor == pytest.approx(1.5, abs=0.1)
    assert pacing.quantile(0.75) == pytest.approx(1.75, abs=0.15)


def test_a_trial_keeps_its_own_factor():
    pacing = Pacing({"a": Pace(10, 1)})
    pacing.learn("a", trial(3), 9, 1 + 9 * 30)
    assert pacing.factor_of(trial(3)) == pytest.approx(3, rel=0.1)
    assert pacing.known(trial(3))
    assert not pacing.known(trial(4))
    assert pacing.factor_of(trial(4)) == pacing.factor


def test_a_worker_that_becomes_slow_is_found_out_by_known_trials():
    pacing = Pacing({"a": Pace(10, 0), "b": Pace(10, 0)})
    for number in range(10):
        pacing.learn("b", trial(number), 3, 30)
        pacing.learn("a", trial(number), 6, 6 * 40)
    assert pacing.pace("a").epoch > 2 * pacing.pace("b").epoch


def test_a_new_worker_is_known_after_its_first_evaluation():
    pacing = Pacing({"a": Pace(10, 0)})
    pacing.learn("new", trial(0), 6, 6 * 30)
    assert pacing.pace("new").epoch == pytest.approx(30, rel=0.2)


def test_retrainings_say_nothing_of_the_search():
    """They write models and predictions, so they take longer."""
    pacing = Pacing({"a": Pace(10, 2)})
    pacing.learn("a", TrialId(-1, 1, 0), 9, 900, is_usual=False)
    assert (pacing.factor, pacing.pace("a").fixed) == (1.0, 2)
    assert pacing.factor_of(TrialId(-1, 1, 0)) == pytest.approx(10, rel=0.1)


def test_nonsense_does_no_harm():
    pacing = Pacing({"a": Pace(10, 2)})
    for number, seconds in enumerate([0.001, 1e7, 0.001]):
        pacing.learn("a", trial(number), 1, seconds)
        pacing.learn("a", trial(number), 2, seconds)
    assert pacing.pace("a").epoch > 0
    assert pacing.pace("a").fixed >= 0
    assert pacing.factor > 0
