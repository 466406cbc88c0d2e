"""A machine that kills of itself excuses, but never without end."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from bohb_seg.search.machines import Machines


def test_a_death_without_fault_excuses_one_later_death_on_the_same_machine():
    machines = Machines()
    assert not machines.excuse("a")
    machines.blame(["a", "b", "a"])
    assert [machines.excuse("a") for _ in range(3)] == [True, True, False]
    assert [machines.excuse("b") for _ in range(2)] == [True, False]


@given(st.lists(st.tuples(st.booleans(), st.sampled_from("abc"))))
def test_there_are_never_more_excuses_than_deaths_without_fault(story):
    machines, blamed, excused = Machines(), Counter(), Counter()
    for blames, machine in story:
        if blames:
            machines.blame([machine])
            blamed[machine] += 1
        else:
            excused[machine] += machines.excuse(machine)
        assert excused <= blamed
