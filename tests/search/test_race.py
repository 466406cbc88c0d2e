"""The race of a runoff, without a scheduler."""

from hypothesis import given
from hypothesis import strategies as st

from bohb_seg.search.race import Standing, standing


def losses(*rows):
    return {rung: dict(enumerate(row)) for rung, row in enumerate(rows)}


def test_nothing_is_decided_before_every_candidate_has_two_seeds():
    assert standing(losses([0.1, 0.2], [0.3]), most=6) == Standing((0, 1), 2)


def test_half_go_on_and_the_lowest_mean_of_the_same_seeds_wins():
    two = losses([0.3, 0.3], [0.2, 0.4], [0.9, 0.2])
    assert standing(two, most=10) == Standing((0, 1), 3)
    four = losses([0.3, 0.3, 0.9, 0.4], [0.2, 0.4, 0.5, 0.5], [0.9, 0.2])
    assert standing(four, most=10) == Standing((0, 1), 4, winner=1)


def test_a_candidate_far_behind_falls_out_and_ends_the_race():
    assert standing(losses([0.1, 0.11], [0.9, 0.9], [0.91, 0.9]), most=99) == Standing((0,), 2, 0)


def test_a_candidate_that_failed_falls_out_unless_all_did():
    assert standing(losses([0.1, None], [0.9, 0.9]), most=99).winner == 1
    assert standing(losses([0.1, None], [None, None]), most=99).winner == 0


def test_the_budget_ends_a_race_that_nobody_leads():
    found = standing(losses([0.5, 0.5], [0.5, 0.5], [0.5, 0.5]), most=7)
    assert found == Standing((0, 1), 2, winner=0)


values = st.none() | st.floats(-1e308, 1e308) | st.sampled_from([0.1, 0.2, 0.3])
rows = st.lists(st.lists(values, min_size=0, max_size=9), min_size=1, max_size=5)


@given(rows, st.integers(0, 20), st.randoms(use_true_random=False))
def test_results_that_were_not_needed_change_nothing(rows, most, random):
    """Every race comes to its end within its budget, and later seeds do not alter its course."""
    drawn = {
        rung: [random.choice([0.1, 0.2, None]) for _ in range(40)] for rung in range(len(rows))
    }
    whole = {
        rung: dict(enumerate([*row, *drawn[rung][len(row) :]])) for rung, row in enumerate(rows)
    }
    known = {rung: {} for rung in whole}
    while (now := standing(known, most)).winner is None:
        missing = [(r, s) for s in range(now.seeds) for r in now.alive if s not in known[r]]
        assert missing, "it waits for nothing"
        rung, seed = random.choice(missing)
        known[rung][seed] = whole[rung][seed]
    assert sum(map(len, known.values())) <= max(most, 2 * len(rows))
    assert standing(whole, most) == now
    assert all(len(its) >= 2 for its in known.values())


def test_any_finite_losses_are_compared():
    assert standing(losses([1e308, 1e308], [1e308, 0.0]), most=0).winner == 1
