import pytest
from helpers.journals import run_off, search

from bohb_seg.report.analysis.incumbent import improvements, incumbent


def test_a_larger_budget_makes_a_new_incumbent_even_if_its_loss_is_higher():
    its = search({1: 0.5}, {1: 0.4, 3: 0.45}, {1: 0.3, 3: 0.42})
    told = [(s.seconds, s.epochs, s.budget, s.loss, s.new_incumbent) for s in improvements(its)]
    assert told == [
        (20.0, 1.0, 1.0, 0.5, True),
        (30.0, 2.0, 1.0, 0.4, True),
        (40.0, 4.0, 3.0, 0.45, True),
        (50.0, 5.0, 1.0, 0.3, False),
        (60.0, 7.0, 3.0, 0.42, True),
    ]
    best = incumbent(its)
    assert (best.budget, best.loss) == (3.0, 0.42)


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
