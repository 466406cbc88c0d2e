"""Size of a search, also where the number of brackets only means that time decides."""

from functools import partial

import pytest

from bohb_seg.search.hyperband import Ladder, bracket
from bohb_seg.search.progress import MOST_COUNTED, expected

RUNGS = partial(bracket, Ladder(1, 27, 3))


@pytest.mark.parametrize(
    ("brackets", "continuing", "evaluations", "epochs"),
    [(1, True, 40, 27 + 9 * 2 + 3 * 6 + 18), (1, False, 40, 4 * 27), (5, True, 105, 423)],
)
def test_a_few_brackets_are_added_up(brackets, continuing, evaluations, epochs):
    assert expected(RUNGS, brackets, continuing) == (evaluations, epochs)


def test_a_thousand_million_brackets_are_counted_at_once():
    def rungs(number):
        assert number < MOST_COUNTED
        return RUNGS(number)

    few, many = (expected(rungs, brackets, continuing=True) for brackets in (400, 10**9))
    assert many[0] / 10**9 == pytest.approx(few[0] / 400, rel=1e-3)
    assert many[1] / 10**9 == pytest.approx(few[1] / 400, rel=1e-3)
