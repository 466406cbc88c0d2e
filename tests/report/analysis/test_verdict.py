import pytest
from helpers.journals import comparison, news, order, run
from helpers.recorded_run import DEFAULT
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ttest_rel

from bohb_seg.report.analysis.comparison import arms
from bohb_seg.report.analysis.verdict import paired_differences, verdict
from bohb_seg.search.events import Finish


def judged(its):
    return verdict(its, arms(its))


def test_numbers_by_hand():
    its = comparison([0.5, 0.6, 0.7], [0.3, 0.5, 0.4])
    first, second, *_ = paired_differences(arms(its))
    assert (first.quantity.title, second.quantity.title) == ("test loss", "test mIoU")
    assert first.mean == pytest.approx(-0.2)
    assert first.spread == pytest.approx(0.1)
    # t(0.975, 2 degrees of freedom) = 4.3027; half width = 4.3027 * 0.1 / sqrt(3)
    assert (first.low, first.high) == pytest.approx((-0.44841, 0.04841), abs=1e-5)
    assert first.judgement == "not distinguishable"
    assert second.mean == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("default", "incumbent", "judgement", "said"),
    [
        ([0.5, 0.6, 0.7], [0.3, 0.41, 0.5], "better", "is better than the default: its test loss"),
        ([0.3, 0.41, 0.5], [0.5, 0.6, 0.7], "worse", "is worse than the default: its test loss"),
        ([0.5, 0.6], [0.6, 0.5], "not distinguishable", "not distinguishable from the default"),
        ([0.5], [0.1], "undecided", "One seed cannot decide"),
        ([0.5, None], [0.1, 0.2], "undecided", "One seed cannot decide"),
        ([0.5, None], [None, 0.2], "undecided", "No seed has a result for both"),
    ],
)
def test_judgements(default, incumbent, judgement, said):
    its = judged(comparison(default, incumbent))
    assert its.judgement == judgement
    assert said in its.sentence


def test_diverged_retrainings_are_said_to_be_left_out():
    its = judged(comparison([0.5, 0.6, None], [0.1, 0.2, 0.3]))
    assert any("1 of 3 retrainings of the default have no loss" in each for each in its.details)


def test_without_a_test_part_the_validation_part_decides_and_a_warning_is_given():
    its = judged(comparison([0.5, 0.6, 0.7], [0.3, 0.41, 0.5], parts=("validation",)))
    assert "its validation loss is lower by 0.1967" in its.sentence
    assert any("flatters the incumbent" in each for each in its.details)


def test_a_worker_that_tells_only_losses_is_judged_by_them():
    assert judged(comparison([0.5, 0.6], [0.3, 0.41], parts=())).judgement == "better"


def test_nothing_better_than_the_default():
    its = run(
        (1, order((0, 0, 0), 9, configuration=DEFAULT)),
        (2, news((0, 0, 0), 9, 0.1)),
        (3, order((-1, 0, 0), 9, configuration=DEFAULT)),
        (4, news((-1, 0, 0), 9, 0.1)),
        (5, Finish("done")),
    )
    found = judged(its)
    assert found.sentence == "The search found nothing better than the default configuration."


@pytest.mark.parametrize(("finish", "said"), [(False, "still going on"), (True, "without a comp")])
def test_no_comparison(finish, said):
    assert said in judged(comparison(None, None, finish=finish)).sentence


def test_the_representative_seed_has_the_lowest_validation_loss():
    default, incumbent = arms(comparison([0.5, 0.4, 0.6], [None, 0.3, 0.2]))
    assert (default.representative.seed, incumbent.representative.seed) == (1, 2)


LOSSES = st.lists(st.tuples(st.floats(0, 2), st.floats(0, 2)), min_size=2, max_size=8)


@settings(deadline=None)
@given(LOSSES)
def test_the_interval_agrees_with_scipys_paired_test(pairs):
    default, incumbent = map(list, zip(*pairs, strict=True))
    first = paired_differences(arms(comparison(default, incumbent)))[0]
    if first.spread > 1e-9:
        expected = ttest_rel(incumbent, default).confidence_interval(0.95)
        assert (first.low, first.high) == pytest.approx((expected.low, expected.high))


@settings(deadline=None)
@given(LOSSES)
def test_swapping_the_arms_swaps_the_verdict(pairs):
    default, incumbent = map(list, zip(*pairs, strict=True))
    opposite = {"better": "worse", "worse": "better"}
    one, other = judged(comparison(default, incumbent)), judged(comparison(incumbent, default))
    assert other.judgement == opposite.get(one.judgement, one.judgement)
