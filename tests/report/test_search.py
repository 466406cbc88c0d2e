import math

import pytest
from helpers.journals import OTHER, news, order, run, run_off, search
from helpers.recorded_run import DEFAULT
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from bohb_seg.report import accounts, picking, ranking
from bohb_seg.report.search import (
    BudgetSummary,
    RungSummary,
    by_budget,
    incumbent,
    rungs,
    same,
    steps,
)
from bohb_seg.search.events import WorkersChanged


def test_a_larger_budget_makes_a_new_incumbent_even_if_its_loss_is_higher():
    its = search({1: 0.5}, {1: 0.4, 3: 0.45}, {1: 0.3, 3: 0.42})
    told = [(s.seconds, s.epochs, s.budget, s.loss, s.incumbent) for s in steps(its)]
    assert told == [
        (20.0, 1.0, 1.0, 0.5, True),
        (30.0, 2.0, 1.0, 0.4, True),
        (40.0, 4.0, 3.0, 0.45, True),
        (50.0, 5.0, 1.0, 0.3, False),
        (60.0, 7.0, 3.0, 0.42, True),
    ]
    best = incumbent(its)
    assert (best.budget, best.loss) == (3.0, 0.42)


def test_losses_by_budget_and_rungs_count_failures_and_promotions():
    its = search({1: 0.5}, {1: 0.4, 3: 0.3}, {1: None}, {1: 0.2, 3: 0.1})
    assert by_budget(its) == (
        BudgetSummary(1.0, (0.5, 0.4, 0.2), failed=1),
        BudgetSummary(3.0, (0.3, 0.1), failed=0),
    )
    assert rungs(its) == (
        RungSummary(0, 1.0, evaluated=4, failed=1, promoted=2, best=0.2, median=0.4),
        RungSummary(0, 3.0, evaluated=2, failed=0, promoted=0, best=0.1, median=0.2),
    )


def test_configurations_are_the_same_up_to_rounding():
    assert same(DEFAULT, {**DEFAULT, "learning_rate": DEFAULT["learning_rate"] * (1 + 1e-12)})
    assert not same(DEFAULT, {**DEFAULT, "learning_rate": 0.0071})
    assert not same(DEFAULT, {"batch_size": 16})


def test_rank_correlation_by_hand():
    its = search(*({1: x, 3: y} for x, y in [(1, 1), (2, 3), (3, 2), (4, 5), (5, 4)]))
    (found,) = ranking.rank_correlations(its)
    assert (found.small, found.large, len(found.pairs)) == (1.0, 3.0, 5)
    assert found.rho == pytest.approx(1 - 6 * 4 / (5 * 24))  # 1 - 6 sum d^2 / (n (n^2 - 1))


@pytest.mark.parametrize(
    ("rho", "pairs", "said"),
    [
        (0.9, 5, "well"),
        (0.5, 9, "roughly"),
        (0.1, 5, "raise --min-budget above 1"),
        (0.9, 4, "few"),
    ],
)
def test_advice(rho, pairs, said):
    found = ranking.RankCorrelation(1.0, 3.0, ((0.0, 0.0),) * pairs, rho)
    assert said in ranking.advice([found])


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=3, max_size=12, unique=True))
def test_rank_correlation_is_scipys_or_undefined(pairs):
    its = search(*({1: x, 3: y} for x, y in pairs))
    (found,) = ranking.rank_correlations(its)
    if any(len(set(column)) == 1 for column in zip(*pairs, strict=True)):
        assert found.rho is None
    else:
        assert found.rho == pytest.approx(spearmanr(*zip(*pairs, strict=True)).statistic)


def test_picks_leave_the_default_out_and_keep_model_and_chance_apart():
    timed = []
    for number, (configuration, model, loss) in enumerate(
        [(DEFAULT, False, 0.1), (OTHER, False, 0.5), (OTHER, True, 0.3), (OTHER, True, 0.4)]
    ):
        timed.append((1, order((0, 0, number), 1, configuration=configuration, model=model)))
        timed.append((2, news((0, 0, number), 1, loss)))
    found = picking.picks(run(*timed))
    assert found == (picking.Picks(1.0, model=(0.3, 0.4), random=(0.5,)),)


@pytest.mark.parametrize(
    ("model", "random", "said"),
    [
        ((), (0.5,), "No configuration was picked by the model"),
        ((0.1, 0.2), (0.5, 0.6, 0.7), "cannot be compared yet"),
        ((0.3, 0.1, 0.2), (0.5, 0.7, 0.6), "is 0.2000, lower than the 0.6000 of the 3 random"),
        ((0.6, 0.6, 0.6), (0.5, 0.7, 0.6), "is 0.6000, not lower than the 0.6000"),
    ],
)
def test_what_is_said_of_the_picks(model, random, said):
    assert said in picking.picks_sentence([picking.Picks(3.0, model, random)])


def test_influence_of_a_choice_that_decides_everything():
    timed = []
    for number in range(12):
        configuration = {"activation": ("relu", "none")[number % 2], "batch_size": 4}
        timed.append((1, order((0, 0, number), 1, configuration=configuration)))
        timed.append((2, news((0, 0, number), 1, number % 2 + number / 100)))
    first, second = picking.influences(run(*timed))
    # 12 ranks in two groups of six without overlap: H = 12/(12*13) * (21^2 + 57^2)/6 - 3*13
    h = 12 / (12 * 13) * (21**2 + 57**2) / 6 - 39
    assert first.name == "activation"
    assert first.share == pytest.approx((h - 1) / 10)
    assert first.chance < picking.CHANCE
    assert (second.name, second.share) == ("batch_size", None)


def test_cost_counts_lost_time_and_trained_epochs():
    its = run(
        (0, WorkersChanged(joined=("a", "b"))),
        (0, order((0, 0, 0), 3, "a")),
        (0, order((0, 0, 1), 3, "b")),
        (1800, WorkersChanged(left=("b",))),
        (3600, news((0, 0, 0), 3, 0.5, "a", epochs_trained=2)),
        (3600, order((-1, 0, 0), 9, "a")),
        (7200, news((-1, 0, 0), 9, 0.4, "a")),
    )
    search_, comparison, whole = accounts.costs(its)
    assert search_ == accounts.Cost("search", 2, 2, 2.0, 1.5, 0.5, 1.0)
    assert comparison == accounts.Cost("comparison", 1, 1, 9.0, 1.0, 0.0, 1.0)
    assert whole == accounts.Cost("all", 3, 3, 11.0, 2.5, 0.5, 2.0)
    first, second = accounts.worker_times(its)
    assert (first.busy, first.idle, first.busy_share) == (7200.0, 0.0, 1.0)
    assert (second.busy, second.wasted, second.idle, second.losses) == (0.0, 1800.0, 0.0, 1)


@pytest.mark.parametrize(
    ("first", "second", "winner"),
    [
        ((0.5, 0.5), (0.4, 0.5), 1),
        ((0.4, 0.4), (0.3, 0.5), 0),
        ((None, 0.0), (0.9, 0.9), 1),
        ((None,), (None,), 0),
    ],
)
def test_the_incumbent_is_who_won_the_runoff(first, second, winner):
    assert incumbent(run_off(first, second)).id.trial == (0, 0, winner)


def test_a_runoff_that_has_not_ended_decides_nothing():
    its = run_off((0.5,), (0.4,), ended=False)
    assert incumbent(its).id.trial == (0, 0, 0)


def test_the_runoff_is_no_part_of_the_search():
    its = run_off((0.5, None), (0.4, 0.4))
    assert [each.id.trial for each in its.evaluations] == [(0, 0, 0), (0, 0, 1)]
    assert [each.id.trial for each in its.runoff] == [
        (-2, 0, 0),
        (-2, 0, 1),
        (-2, 1, 0),
        (-2, 1, 1),
    ]
    costs = accounts.costs(its)
    assert [(each.part, each.evaluations) for each in costs] == [
        *(("search", 2), ("runoff", 4), ("comparison", 1), ("all", 7))
    ]


def test_failures_name_their_reason_and_whether_they_were_made_good():
    its = run(
        (1, order((0, 0, 0), 1)),
        (2, news((0, 0, 0), 1, None, outcome="crashed")),
        (3, order((0, 0, 0), 1, attempt=2)),
        (4, news((0, 0, 0), 1, 0.5, attempt=2)),
        (5, order((0, 0, 1), 1)),
        (6, news((0, 0, 1), 1, None, outcome="diverged")),
    )
    told = [(f.attempt.fate, f.reason, f.recovered) for f in accounts.failures(its)]
    assert told == [
        ("crashed", "ValueError: crashed", True),
        ("diverged", "ValueError: diverged", False),
    ]


def test_a_silent_worker_is_counted_with_its_whole_budget():
    its = run((1, order((0, 0, 0), 9)), (2, news((0, 0, 0), 9, 0.5)))
    assert its.attempts[0].epochs_trained == 9
    assert math.isclose(accounts.costs(its)[0].epochs, 9)
