import pytest
from helpers.journals import search
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from bohb_seg.report.analysis.ranking import RankCorrelation, advice, rank_correlations


def test_rank_correlation_by_hand():
    its = search(*({1: x, 3: y} for x, y in [(1, 1), (2, 3), (3, 2), (4, 5), (5, 4)]))
    (found,) = rank_correlations(its)
    assert (found.small, found.large, len(found.pairs)) == (1.0, 3.0, 5)
    assert found.rho == pytest.approx(1 - 6 * 4 / (5 * 24))  # 1 - 6 sum d^2 / (n (n^2 - 1))


@pytest.mark.parametrize(
    ("rho", "pairs", "said"),
    [
        (0.9, 5, "well"),
        (0.5, 9, "roughly"),
        (0.1, 5, "Raise --min-budget above 1"),
        (0.9, 4, "few"),
    ],
)
def test_advice(rho, pairs, said):
    found = RankCorrelation(1.0, 3.0, ((0.0, 0.0),) * pairs, rho)
    assert said in advice([found])


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=3, max_size=12, unique=True))
def test_rank_correlation_is_scipys_or_undefined(pairs):
    its = search(*({1: x, 3: y} for x, y in pairs))
    (found,) = rank_correlations(its)
    if any(len(set(column)) == 1 for column in zip(*pairs, strict=True)):
        assert found.rho is None
    else:
        assert found.rho == pytest.approx(spearmanr(*zip(*pairs, strict=True)).statistic)
