"""Looks at whole seeds in their order."""

from hypothesis import given
from hypothesis import strategies as st

from bohb_seg.search.sequence import judge_in_order, whole_seeds
from bohb_seg.search.verdict import Retrained, Terms
from bohb_seg.trials import Info

TERMS = Terms(delta=0.0, most_seeds=10)


def pairs(*differences, start=0, folds=(None,)):
    return [
        Retrained(arm, seed, 1.0 + arm * difference + seed / 50, Info(), fold)
        for seed, difference in enumerate(differences, start)
        for fold in folds
        for arm in (0, 1)
    ]


def test_a_seed_counts_once_all_of_it_and_of_those_before_is_settled():
    its = pairs(1, 1, 1)
    assert whole_seeds(its, (0, 1)) == 3
    assert whole_seeds(its[:-1], (0, 1)) == 2
    assert whole_seeds(its[1:], (0, 1)) == 0
    assert whole_seeds(its[1:], (1,)) == 3
    folded = pairs(1, 1, folds=(0, 1, 2))
    assert whole_seeds(folded, (0, 1), folds=3) == 2
    assert whole_seeds(folded[:-2], (0, 1), folds=3) == 1


def test_the_first_look_that_decides_ends_the_sequence():
    decided = pairs(-0.5, -0.501, -0.499)
    first = judge_in_order(decided, [], TERMS)
    assert (first.answer, first.seeds) == ("better", (0, 1, 2))
    later = [*decided, *pairs(0.9, 0.8, 0.9, start=3)]
    assert judge_in_order(later, [], TERMS) == first


def test_nothing_is_judged_before_the_first_look():
    assert judge_in_order(pairs(-0.5, -0.5), [], TERMS).answer == "undecided"
    assert judge_in_order([], [], TERMS).answer == "undecided"


@given(st.lists(st.floats(-1, 1), min_size=3, max_size=8), st.randoms(use_true_random=False))
def test_the_order_of_the_results_does_not_matter(differences, random):
    its = pairs(*differences)
    mixed = random.sample(its, len(its))
    assert judge_in_order(mixed, [], TERMS) == judge_in_order(its, [], TERMS)
