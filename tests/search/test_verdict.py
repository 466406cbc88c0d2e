import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import t as student

from bohb_seg.search import intervals
from bohb_seg.search.image_groups import jackknife
from bohb_seg.search.intervals import LAST_LEVELS, level, moderated
from bohb_seg.search.verdict import Quantity, Retrained, Terms, judge
from bohb_seg.trials import Info

TERMS = Terms(delta=0.01, most_seeds=10)
BEFORE = (0.50, 0.51, 0.49, 0.505, 0.495)


def told(miou, groups=None):
    """A worker's table; groups: confusions by name."""
    if miou is None:
        return Info()
    test = {"miou": miou, "loss": 1 - miou, "iou": {"road": miou}}
    if groups:
        test["groups"] = {name: {"confusion": each} for name, each in groups.items()}
    return Info(parts={"test": test})


def retrained(default, incumbent, groups=None):
    """Both arms with these mIoUs by seed (None: diverged), and the groups of each arm."""
    return [
        Retrained(arm, seed, None if value is None else 0.5, told(value, (groups or {}).get(arm)))
        for arm, values in enumerate((default, incumbent))
        for seed, value in enumerate(values)
    ]


def only_losses(default, incumbent):
    """What a foreign worker tells."""
    return [
        Retrained(arm, seed, value, Info())
        for arm, values in enumerate((default, incumbent))
        for seed, value in enumerate(values)
    ]


def plus(*gains):
    return [before + gain for before, gain in zip(BEFORE, gains, strict=False)]


@pytest.mark.parametrize(
    ("gains", "answer", "is_final"),
    [
        ((0.2, 0.201, 0.199, 0.2, 0.2), "better", True),
        ((-0.2, -0.201, -0.199, -0.2, -0.2), "worse", True),
        ((0.0, 0.001, -0.001, 0.0, 0.0), "equivalent", True),
        ((0.07, -0.01, 0.06, 0.01, 0.03), "undecided", False),
    ],
)
def test_four_answers(gains, answer, is_final):
    found = judge(retrained(BEFORE, plus(*gains)), [], replace(TERMS, delta=0.05))
    assert (found.answer, found.is_final) == (answer, is_final)
    assert (found.quantity, found.part, found.seeds) == ("miou", "test", (0, 1, 2, 3, 4))
    assert found.mean == pytest.approx(np.mean(gains))
    assert (found.more_seeds is None) == is_final


def test_the_interval_by_hand():
    """Two arms of equal variance and correlation 1/2, which so count half a degree of freedom."""
    default, incumbent = (0.50, 0.51, 0.52), (0.61, 0.60, 0.62)  # differences .11, .09, .10
    found = judge(retrained(default, incumbent), [], TERMS)
    variance = (2 * 0.0001 + 0.5 * 0.0002) / 2.5
    assert found.spread == pytest.approx(math.sqrt(variance))
    share, error = 0.031 * 0.3**4, math.sqrt(variance / 3)
    half = student.isf(share / 2, 2.5) * error
    assert (found.low, found.high) == pytest.approx((0.1 - half, 0.1 + half))
    inner = student.isf(share, 2.5) * error
    assert found.difference.inner_high == pytest.approx(0.1 + inner)


def test_the_spread_of_a_runoff_by_hand():
    # residuals of +-.1: twice their mean square with (2 - 1) * (2 - 1) degrees of freedom
    table = np.array([[0.5, 0.7], [0.7, 0.5]])
    assert intervals.runoff_spread(table) == intervals.Spread(pytest.approx(2 * 4 * 0.01), 1.0)
    assert intervals.runoff_spread(np.array([[0.5, math.nan], [0.7, 0.5]])) is None


@pytest.mark.parametrize(("apart", "counts"), [(0.001, False), (0.02, True), (0.5, False)])
def test_a_runoff_moderates_the_variance_if_it_agrees(apart, counts):
    found = retrained((0.50, 0.51, 0.52), (0.61, 0.60, 0.62))  # variance .0001 to .0002
    runoff = [
        Retrained(rank, seed, 0.5, Info(miou=0.5 + apart * (rank == seed) / 2))
        for rank in range(2)
        for seed in range(2)
    ]
    alone, both = (judge(found, own, TERMS).difference.precision.spread for own in ([], runoff))
    assert both.freedom == alone.freedom + counts
    assert (both.variance == alone.variance) == (not counts)


def test_an_arm_that_scatters_alone_is_worth_nothing_twice():
    one = moderated([0.5, 0.5, 0.5], [0.6, 0.7, 0.8], None)
    assert (one.variance, one.freedom) == pytest.approx((0.01, 2.0))


def test_seeds_that_act_alike_are_no_spread():
    one = moderated([0.1, 0.5, 0.9], [0.11, 0.52, 0.91], None)
    assert one.variance < 0.001


# --- which number decides ---------------------------------------------------------------------


def test_where_only_losses_are_told_they_decide_and_nothing_is_equivalent():
    found = judge(only_losses((0.5, 0.6, 0.7), (0.3, 0.4, 0.501)), [], TERMS)
    assert (found.answer, found.quantity, found.part) == ("better", "loss", "validation")
    assert found.delta is None
    close = judge(only_losses((0.5, 0.6, 0.7), (0.501, 0.599, 0.7)), [], replace(TERMS, delta=0.5))
    assert close.answer == "undecided"


def test_each_class_has_its_interval():
    found = judge(retrained(BEFORE, plus(0.2, 0.2, 0.2)), [], TERMS)
    (road,) = [each for each in found.others if each.quantity == Quantity("test", "iou", "road")]
    assert road.low == pytest.approx(found.low)


def test_pairs_that_miss_an_arm_are_left_out():
    found = judge(retrained((0.5, 0.5, 0.5, None), (0.7, None, 0.7, 0.7)), [], TERMS)
    assert (found.seeds, found.left_out, found.answer) == ((0, 2), (1, 3), "undecided")
    assert found.more_seeds == 1


# --- images ------------------------------------------------------------------------------------


def confusion(hits, of=100):
    return [[hits, of - hits], [of - hits, hits]]


def test_the_jackknife_by_hand():
    """One class, where the IoU of groups together is their share of hits."""
    default = [{name: np.array([[50.0]]) for name in "abc"}]
    incumbent = [{name: np.array([[50.0]]) for name in "abc"}]
    assert jackknife(default, incumbent) == (0.0, 3)
    before = {"a": np.array([[9.0, 1], [0, 0]]), "b": np.array([[8.0, 2], [0, 0]])}
    after = {"a": np.array([[9.0, 1], [0, 0]]), "b": np.array([[6.0, 4], [0, 0]])}
    # without a: .6 - .8 = -.2; without b: .9 - .9 = 0; (2 - 1) / 2 * (.1**2 + .1**2)
    assert jackknife([before], [after]) == (pytest.approx(0.01), 2)


def test_five_groups_widen_the_interval_and_four_cannot():
    jumps = (0, 9, -9, 9, -9)
    arms = [
        {0: {str(n): confusion(80) for n in range(count)},
         1: {str(n): confusion(80 + jumps[n]) for n in range(count)}}
        for count in (4, 5)
    ]  # fmt: skip
    after = plus(0.2, 0.201, 0.199)
    four, five = (judge(retrained(BEFORE[:3], after, own), [], TERMS) for own in arms)
    assert (four.difference.groups, four.difference.images) == (4, None)
    assert five.difference.groups == 5
    assert five.difference.images > 0.03
    assert five.high - five.low > four.high - four.low


def test_images_that_decide_are_no_matter_of_seeds():
    jumps = (0, 15, -15, 15, -15)
    groups = {0: {str(n): confusion(80) for n in range(5)},
              1: {str(n): confusion(80 + jumps[n]) for n in range(5)}}  # fmt: skip
    found = judge(retrained(BEFORE, plus(0.02, 0.021, 0.019, 0.02, 0.02), groups), [], TERMS)
    assert (found.answer, found.more_seeds) == ("undecided", None)


# --- folds -------------------------------------------------------------------------------------


def on_folds(arm, seed, *hits):
    """One fold for each number of hits; its only group has its own name."""
    return [
        Retrained(arm, seed, 1 - own / 100, Info(parts={"test": {
            "loss": 1 - own / 100, "miou": 0.1, "iou": {"road": 0.1, "land": 0.1},
            "confusion": confusion(own), "groups": {f"g{fold}": {"confusion": confusion(own)}},
        }}), fold)
        for fold, own in enumerate(hits)
    ]  # fmt: skip


def test_folds_of_a_seed_are_counted_together():
    comparison = [
        each
        for seed in range(3)
        for arm, hits in enumerate(((50, 60, 70), (70, 80, 90 + seed)))
        for each in on_folds(arm, seed, *hits)
    ]
    comparison += retrained((0.5, 0.5, 0.5), (0.1, 0.1, 0.1))
    found = judge(comparison, [], replace(TERMS, folds=3))
    assert (found.answer, found.part, found.difference.groups) == ("better", "folds", 3)
    hits, whole = 180, 300  # of 300 pixels of each class
    assert found.difference.default[0] == pytest.approx(hits / (2 * whole - hits))
    (untouched,) = [each for each in found.others if each.quantity == Quantity("test", "miou")]
    assert untouched.mean == pytest.approx(-0.4)


def test_a_seed_counts_once_all_its_folds_are_there():
    comparison = [*on_folds(0, 0, 50, 60), *on_folds(1, 0, 70)]
    found = judge(comparison, [], replace(TERMS, folds=2))
    assert (found.answer, found.difference, found.left_out) == ("undecided", None, ())
    whole = judge([*on_folds(0, 0, 50, 60), *on_folds(1, 0, 70, 80)], [], TERMS)
    assert whole.seeds == (0,)


# --- looks -------------------------------------------------------------------------------------


@pytest.mark.parametrize("planned", [1, 2, 3, 4, 7, 10, 40, 500])
def test_levels_rise_to_the_last_planned_look_and_fall_beyond(planned):
    pairs = np.arange(3.0, 3 * planned + 9)
    levels = level(pairs, planned)
    last = max(planned, 3)
    assert (np.diff(levels[pairs <= last]) > 0).all()
    assert (np.diff(levels[pairs > last]) < 0).all()
    assert levels.max() <= LAST_LEVELS[3]


def test_the_error_of_all_looks_is_kept_also_when_seeds_are_added():
    """20,000 comparisons without a difference, planned for ten pairs and gone on with to thirty."""
    differences = np.random.default_rng(3).standard_normal((20_000, 30))
    pairs = np.arange(1.0, 31)
    means = differences.cumsum(axis=1) / pairs
    squares = (differences**2).cumsum(axis=1) - pairs * means**2
    with np.errstate(divide="ignore", invalid="ignore"):
        values = np.abs(means) / np.sqrt(squares / (pairs - 1) / pairs)
    limits = student.isf(level(pairs, 10)[2:] / 2, pairs[2:] - 1)
    wrong = (values[:, 2:] > limits).any(axis=1).mean()
    assert 0.04 < wrong <= 0.05


def test_further_seeds_that_are_advised_decide_if_the_rest_is_alike():
    after = plus(0.07, -0.01, 0.06, 0.01, 0.03)
    found = judge(retrained(BEFORE, after), [], TERMS)
    times = math.ceil((5 + found.more_seeds) / 5)
    later = judge(retrained(BEFORE * times, after * times), [], replace(TERMS, planned_seeds=10))
    assert later.answer == "better"


def test_the_last_planned_pair_is_final_whatever_it_says():
    undecided = retrained(BEFORE, plus(0.07, -0.01, 0.06, 0.01, 0.03))
    assert judge(undecided, [], replace(TERMS, most_seeds=5)).is_final
    assert judge(retrained((None,) * 3, (None,) * 3), [], replace(TERMS, most_seeds=3)).is_final


# --- degenerate data ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("comparison", "answer"),
    [
        ([], "undecided"),
        (only_losses((0.5,), ()), "undecided"),
        (only_losses((0.5,), (0.1,)), "undecided"),
        (only_losses((0.5,) * 3, (0.1,) * 3), "better"),
        (only_losses((0.5,) * 3, (0.5,) * 3), "equivalent"),
        (only_losses((math.nan,) * 3, (0.5,) * 3), "undecided"),
        (only_losses((1e308, -1e308, 1e308), (1e308, 1e308, -1e308)), "undecided"),
        (only_losses((1e308,) * 3, (0.1,) * 3), "better"),
        (only_losses(range(300), range(-1, 299)), "better"),
        (
            [Retrained(0, 0, 0.5, Info(parts={"test": 3})), Retrained(1, 0, 0.5, Info())],
            "undecided",
        ),
    ],
)
def test_degenerate_data_have_a_sensible_answer(comparison, answer):
    assert judge(comparison, [], TERMS).answer == answer


NUMBERS = st.none() | st.floats() | st.integers() | st.booleans()
MATRICES = st.lists(st.lists(NUMBERS, max_size=3), max_size=3) | NUMBERS
TABLES = st.fixed_dictionaries(
    {},
    optional={
        "miou": NUMBERS,
        "loss": NUMBERS,
        "iou": st.dictionaries(st.text(max_size=1), NUMBERS, max_size=2) | NUMBERS,
        "confusion": MATRICES,
        "groups": st.dictionaries(
            st.text(max_size=1), st.fixed_dictionaries({"confusion": MATRICES}), max_size=6
        ),
    },
)
RETRAINED = st.builds(
    Retrained,
    st.integers(0, 2),
    st.integers(0, 4),
    st.none() | st.floats(),
    st.builds(Info, parts=st.dictionaries(st.sampled_from(["test", "validation"]), TABLES)),
    st.none() | st.integers(0, 2),
)


@settings(deadline=None, max_examples=60)
@given(st.lists(RETRAINED, max_size=20), st.lists(RETRAINED, max_size=6), st.integers(1, 30))
def test_nothing_that_workers_tell_raises(comparison, runoff, most):
    found = judge(comparison, runoff, Terms(0.01, most))
    assert found.answer == (found.difference.answer(found.delta or 0.0) if found.difference else
                            "undecided")  # fmt: skip
    assert all(each.low <= each.high for each in found.others if each.low is not None)


PAIRS = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=8)


@settings(deadline=None, max_examples=100)
@given(PAIRS, st.randoms(use_true_random=False))
def test_swapped_arms_swap_the_answer_and_the_order_of_results_is_no_matter(pairs, random):
    default, incumbent = zip(*pairs, strict=True)
    one = retrained(default, incumbent)
    random.shuffle(one)
    opposite = {"better": "worse", "worse": "better"}
    answer = judge(one, [], TERMS).answer
    assert judge(retrained(incumbent, default), [], TERMS).answer == opposite.get(answer, answer)
