"""How long a search takes, as it is played through."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bohb_seg.search import hyperband
from bohb_seg.search.forecast import (
    MOST_PLAYED,
    Pace,
    Running,
    SearchForecast,
    SearchStanding,
    all_done,
    epochs_on,
)
from bohb_seg.search.hyperband import Ladder

LADDER = Ladder(1, 9, 3)
paces = st.lists(st.builds(Pace, st.floats(0.1, 50), st.floats(0, 20)), min_size=1, max_size=9).map(
    lambda each: {f"w{number}": pace for number, pace in enumerate(each)}
)


def rungs(index):
    return hyperband.bracket(LADDER, index)


def test_one_worker_trains_everything_one_after_the_other():
    # 9 x 1, 3 x 2 more, 1 x 6 more epochs at 10 s, and 13 evaluations with 2 s besides
    forecast = SearchForecast({"w": Pace(10, 2)}, rungs, continuing=True)
    assert forecast.seconds(1) == pytest.approx((9 + 6 + 6) * 10 + 13 * 2)


def test_a_trial_that_begins_again_trains_all_its_epochs():
    forecast = SearchForecast({"w": Pace(10, 2)}, rungs, continuing=False)
    assert forecast.seconds(1) == pytest.approx((9 + 9 + 9) * 10 + 13 * 2)


def test_the_last_rung_is_as_fast_as_the_one_worker_that_trains_it():
    many = {f"w{number}": Pace(10) for number in range(100)}
    assert SearchForecast(many, rungs, True).seconds(1) == pytest.approx((1 + 2 + 6) * 10)


def test_a_search_that_stands_somewhere_needs_the_rest():
    standing = SearchStanding(
        begun=1,
        settled={(0, 0): 9, (0, 1): 1},
        running={"v": Running(0, 1, 5.0), "w": Running(-1, 0, 1.0)},
    )
    two = {"v": Pace(10), "w": Pace(10)}
    # w is free after 1 s and trains the last of three on the second rung for 20 s; then 60 s remain
    assert SearchForecast(two, rungs, True, standing=standing).seconds(1) == pytest.approx(81)


def test_without_a_worker_nothing_ends():
    assert SearchForecast({}, rungs, True).seconds(1) == float("inf")
    assert all_done({}, [(1.0, 1.0)]) == float("inf")
    assert all_done({}, []) == 0


@given(paces, st.integers(1, 100))
def test_more_brackets_take_longer(workers, brackets):
    forecast = SearchForecast(workers, rungs, True)
    # Among unlike workers a few more may fit in while the slow one trains.
    assert forecast.seconds(brackets) < forecast.seconds(brackets + 60)


@given(paces, st.floats(1, 1e5))
def test_the_most_brackets_that_fit_do_and_one_more_does_not(workers, seconds):
    forecast = SearchForecast(workers, rungs, True)
    most = forecast.most(seconds, 1)
    assert most == 1 or forecast.seconds(most) <= seconds
    if most < MOST_PLAYED:  # beyond, brackets of several kinds follow by their shares
        assert any(forecast.seconds(most + more) > seconds for more in (1, 2, 3))


@given(paces)
def test_brackets_beyond_those_played_go_on_alike(workers):
    forecast = SearchForecast(workers, rungs, True)
    played = forecast.seconds(MOST_PLAYED) - forecast.seconds(MOST_PLAYED - 3)
    beyond = forecast.seconds(MOST_PLAYED + 300) - forecast.seconds(MOST_PLAYED)
    slowest = max(pace.seconds(9) for pace in workers.values())
    assert beyond / 100 == pytest.approx(played, abs=2 * slowest)


def test_epochs_are_whole():
    budgets = hyperband.bracket(Ladder(1, 10, 3), 0)
    assert [epochs_on(budgets, rung, True) for rung in range(3)] == [1, 2, 7]
    assert [epochs_on(budgets, rung, False) for rung in range(3)] == [1, 3, 10]


def test_independent_trainings_go_to_whoever_is_free():
    unlike = {"slow": Pace(4), "fast": Pace(1)}
    assert all_done(unlike, [(10, 1.0)] * 5) == 40
    assert all_done(unlike, [(10, 1.0)] * 5, {"slow": 100.0}) == 100
    assert all_done(unlike, [(10, 2.0)], {"slow": 5.0}) == 20
