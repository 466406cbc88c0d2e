"""The size of a run that ends in time."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bohb_seg.search import hyperband
from bohb_seg.search.deadline import (
    LONGEST_SHARE,
    FinalsSize,
    Given,
    NoRoomError,
    Planner,
    RunSize,
)
from bohb_seg.search.forecast import Pace
from bohb_seg.search.hyperband import Ladder

paces = st.lists(
    st.builds(Pace, st.floats(0.05, 500), st.floats(0, 30)), min_size=1, max_size=32
).map(lambda each: {f"w{number}": pace for number, pace in enumerate(each)})
wishes = st.builds(
    Given,
    min_budget=st.none() | st.sampled_from([1.0, 2.0, 3.0]),
    max_budget=st.none() | st.sampled_from([3.0, 10.0, 27.0]),
    brackets=st.none() | st.integers(1, 9),
    candidates=st.none() | st.integers(1, 5),
    seeds=st.none() | st.integers(1, 20),
    final_epochs=st.none() | st.sampled_from([5.0, 30.0]),
    eta=st.sampled_from([2.0, 3.0, 4.0]),
    comparison=st.booleans(),
    folds=st.sampled_from([0, 0, 4]),
    continuing=st.booleans(),
)


def layout(ladder):
    return lambda index: hyperband.bracket(ladder, index)


def planner(workers, wish=None):
    return Planner(workers, wish or Given(), layout)


def alike(count, epoch, fixed=5.0):
    return {f"w{number}": Pace(epoch, fixed) for number in range(count)}


@given(paces, wishes, st.floats(60, 1e6))
def test_what_is_chosen_fits_and_keeps_what_was_given(workers, wish, seconds):
    plans = planner(workers, wish)
    try:
        size, needed = plans.choose(seconds), None
    except NoRoomError as error:
        size, needed = error.least, error.seconds
    assert needed > seconds if needed else plans.forecast(size) <= seconds
    Ladder(size.min_budget, size.max_budget, wish.eta)  # raises unless the budgets are in order
    for name, value in (
        *(("min_budget", wish.min_budget), ("max_budget", wish.max_budget)),
        *(("brackets", wish.brackets), ("candidates", wish.candidates)),
        ("final_epochs", wish.final_epochs),
    ):
        assert value is None or getattr(size, name) == value
    assert size.seeds <= (wish.seeds or 10)
    assert (size.seeds > 0) == wish.comparison
    assert wish.final_epochs or size.final_epochs == size.max_budget


@given(paces, st.floats(600, 1e6))
def test_half_a_bracket_more_would_not_fit(workers, seconds):
    """Time is not left over: there is no plan of the same budgets with three more brackets."""
    plans = planner(workers)
    try:
        size = plans.choose(seconds)
    except NoRoomError:
        return
    more = RunSize(
        size.min_budget, size.max_budget, size.brackets + 3, 3, size.seeds, size.max_budget
    )
    assert plans.forecast(more) > seconds


def test_more_time_gives_larger_budgets_up_to_the_largest():
    chosen = [planner(alike(2, 41)).choose(3600.0 * hours) for hours in (0.5, 2, 4, 16, 64, 999)]
    budgets = [size.max_budget for size in chosen]
    assert budgets == sorted(budgets)
    assert budgets[0] < 9
    assert budgets[-1] == 81
    assert chosen[-1].seeds == 10


def test_one_training_is_never_a_large_part_of_the_time():
    size = planner(alike(32, 300)).choose(12 * 3600.0)
    assert size.max_budget * 300 <= LONGEST_SHARE * 12 * 3600


def test_the_example_of_the_manual():
    size = planner(alike(2, 41)).choose(0.95 * 3.67 * 3600)
    assert size.text() == "6 brackets of 2..18, runoff of 3 x 2, comparison with 6 seeds"


def test_too_little_time_is_refused_with_the_least_that_would_do():
    with pytest.raises(NoRoomError) as refused:
        planner(alike(1, 600)).choose(3600)
    least, seconds = refused.value.least, refused.value.seconds
    assert least.text() == "1 bracket of 1..3, comparison with 3 seeds"
    assert planner(alike(1, 600)).choose(seconds) == least


def test_random_search_has_other_rungs():
    """The rungs are those of the optimizer, which pays the largest budget for each trial."""
    flat = Planner(
        alike(2, 41),
        Given(),
        lambda ladder: lambda index: (hyperband.Rung(ladder.max_budget, len(ladder.budgets)),),
    )
    assert flat.choose(36000).brackets < planner(alike(2, 41)).choose(36000).brackets


@pytest.mark.parametrize(
    ("finals", "runoff", "pairs"),
    [
        (FinalsSize(27, 27, 3, 10), 10, 10),
        (FinalsSize(27, 27, 3, 20), 10, 20),
        (FinalsSize(27, 27, 3, 4), 4, 4),
        (FinalsSize(27, 27, 3, 3), 0, 3),
        (FinalsSize(27, 27, 1, 10), 0, 10),
        (FinalsSize(27, 9, 3, 10), 0, 10),
        (FinalsSize(27, 27, 3, 10, folds=5), 10, 3 + 5 * 3),
        (FinalsSize(27, 27, 3, 0), 0, 0),
    ],
)
def test_final_phases_have_so_many_trainings(finals, runoff, pairs):
    assert (finals.runoff, finals.pairs) == (runoff, pairs)


def test_a_runoff_trains_its_further_seeds_one_after_the_other():
    many = alike(100, 1, fixed=0)
    # two seeds of three candidates, two more rounds of two, then all ten pairs at once
    assert FinalsSize(10, 10, 3, 10).seconds(many) == pytest.approx(10 + 2 * 10 + 10)
    assert FinalsSize(10, 10, 3, 10).seconds(many, factor=2) == pytest.approx(20 + 2 * 20 + 20)
    assert math.isclose(FinalsSize(10, 10, 1, 3).seconds(alike(1, 1, 0)), 60)
