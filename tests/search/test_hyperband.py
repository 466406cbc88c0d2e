import math
import warnings

import pytest
from helpers.counting import hpbandster_master
from hpbandster.optimizers import BOHB, HyperBand, RandomSearch
from hypothesis import given, settings
from hypothesis import strategies as st

from bohb_seg.optimizers import random
from bohb_seg.search.hyperband import Ladder, Rung, bracket
from bohb_seg.spaces.formats.loading import load


@st.composite
def ladders(draw):
    eta = draw(st.sampled_from([2, 3, 4]) | st.floats(2, 6))
    min_budget = draw(st.integers(1, 20) | st.floats(0.01, 20))
    return Ladder(min_budget, min_budget * draw(st.floats(1, 500)), eta)


def theirs(kind, ladder, index):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # HpBandSter calls what ConfigSpace deprecated
        master = hpbandster_master(kind, ladder)
        iteration = master.get_next_iteration(index)
    return [float(b) for b in iteration.budgets], [int(n) for n in iteration.num_configs]


def loses_a_rung(ladder):
    """Whether HpBandSter's logarithm falls short of the whole number it should be."""
    ratio = math.log(ladder.max_budget / ladder.min_budget) / math.log(ladder.eta)
    return abs(ratio - round(ratio)) < 1e-8


@settings(max_examples=300, deadline=None)
@given(ladders(), st.integers(0, 30), st.sampled_from([BOHB, HyperBand]))
def test_equals_hpbandster(ladder, index, kind):
    if loses_a_rung(ladder):
        return
    budgets, sizes = theirs(kind, ladder, index)
    rungs = bracket(ladder, index)
    assert [rung.trials for rung in rungs] == sizes
    assert [rung.budget for rung in rungs] == pytest.approx(budgets, rel=1e-14)


@pytest.mark.parametrize("eta", [2, 3, 4])
def test_equals_hpbandster_where_budgets_are_powers(eta):
    for steps in range(5):
        ladder = Ladder(1, eta**steps, eta)
        for index in range(6):
            budgets, sizes = theirs(BOHB, ladder, index)
            rungs = bracket(ladder, index)
            assert [rung.trials for rung in rungs] == sizes
            assert [rung.budget for rung in rungs] == pytest.approx(budgets, rel=1e-14)


def test_the_well_known_bracket():
    assert bracket(Ladder(1, 27, 3), 0) == (Rung(1, 27), Rung(3, 9), Rung(9, 3), Rung(27, 1))
    assert bracket(Ladder(1, 27, 3), 3) == (Rung(27, 4),)
    assert bracket(Ladder(1, 27, 3), 4) == bracket(Ladder(1, 27, 3), 0)


@pytest.mark.parametrize(
    ("low", "high", "rungs"), [(1, 243, 6), (0.1, 0.9, 3), (0.01, 0.03, 2), (1, 1, 1), (2, 5, 1)]
)
def test_no_rung_is_lost_to_rounding(low, high, rungs):
    assert len(Ladder(low, high, 3).budgets) == rungs


@given(ladders())
def test_budgets_rise_within_their_bounds(ladder):
    budgets = ladder.budgets
    assert budgets[-1] == ladder.max_budget
    assert list(budgets) == sorted(budgets)
    assert budgets[0] >= ladder.min_budget * (1 - 1e-8)
    assert budgets[0] / ladder.eta < ladder.min_budget


@pytest.mark.parametrize("arguments", [(0, 1, 3), (2, 1, 3), (1, 9, 1.5), (1, math.inf, 3)])
def test_refuses_what_is_no_ladder(arguments):
    with pytest.raises(ValueError):
        Ladder(*arguments)


@pytest.mark.parametrize("ladder", [Ladder(1, 27, 3), Ladder(1, 16, 2), Ladder(5, 5, 3)])
def test_random_search_equals_hpbandster(ladder):
    budgets, sizes = theirs(RandomSearch, ladder, 0)
    (rung,) = random.build(load("counting"), ladder, 0).rungs(0)
    assert ([rung.budget], [rung.trials]) == (budgets, sizes)
