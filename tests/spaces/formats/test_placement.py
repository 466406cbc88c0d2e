"""What somebody wrote is put into a space, or refused in half a sentence."""

import pytest
from ConfigSpace import (
    Categorical,
    ConfigurationSpace,
    Constant,
    EqualsCondition,
    Float,
    ForbiddenAndConjunction,
    ForbiddenEqualsClause,
    Integer,
    OrdinalHyperparameter,
)
from helpers.counting import mixed_space, thorny_space
from hypothesis import given
from hypothesis import settings as tried
from hypothesis import strategies as st

from bohb_seg.search.data_facts import TYPICAL
from bohb_seg.spaces.formats import configspace, loading
from bohb_seg.spaces.formats.placement import OutsideError, placed

SGD_ONLY = ("momentum", "nesterov")


def space():
    found = ConfigurationSpace()
    kind, rate = Categorical("kind", ["sgd", "adam"]), Float("rate", (1e-4, 1.0), log=True)
    momentum = Float("momentum", (0.0, 0.9), default=0.5)
    size, nesterov = Integer("size", (4, 32), default=8), Categorical("nesterov", [True, False])
    found.add(
        *(kind, rate, momentum, size, nesterov, Constant("version", 3)),
        OrdinalHyperparameter("width", [16, 32, 64], default_value=32),
        EqualsCondition(momentum, kind, "sgd"),
        EqualsCondition(nesterov, kind, "sgd"),
    )
    clauses = ForbiddenEqualsClause(kind, "adam"), ForbiddenEqualsClause(size, 32)
    found.add(ForbiddenAndConjunction(*clauses))
    return found


def default(**values):
    return configspace.plain(space().get_default_configuration()) | values


def test_what_is_not_named_has_the_default_of_the_space():
    assert placed(space(), {}) == default()
    found = placed(space(), {"size": 16.0, "width": 64.0, "rate": 1, "kind": "sgd"})
    assert found == default(size=16, width=64, rate=1.0)
    assert [type(found[name]) for name in ("size", "width", "rate")] == [int, int, float]


def test_conditions_are_respected():
    found = placed(space(), {"kind": "adam", "momentum": 0.9, "elsewhere": 1})
    assert found == {n: v for n, v in default(kind="adam").items() if n not in SGD_ONLY}
    assert placed(space(), {"kind": "adam", "momentum": 7.0}) == found  # never looked at


def test_a_bound_that_a_file_has_rounded_is_the_bound():
    assert placed(space(), {"rate": 1e-4 * (1 - 1e-12)})["rate"] == 1e-4


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"rate": 2.0}, "rate is 2.0, and the search space has 0.0001 to 1"),
        ({"rate": "fast"}, "rate is 'fast', and the search space has 0.0001 to 1"),
        ({"rate": True}, "rate is True, and the search space has 0.0001 to 1"),
        ({"size": 8.5}, "size is 8.5, and the search space has whole numbers from 4 to 32"),
        ({"kind": None}, "kind is None, and the search space has 'sgd', 'adam'"),
        ({"nesterov": 1}, "nesterov is 1, and the search space has True, False"),
        ({"width": 48}, "width is 48, and the search space has 16, 32, 64"),
        ({"version": 4}, "version is 4, and the search space has only 3"),
    ],
)
def test_a_value_outside_is_named_with_what_is_allowed(values, reason):
    with pytest.raises(OutsideError) as error:
        placed(space(), values)
    assert str(error.value) == reason


def test_forbidden_values_are_refused():
    with pytest.raises(OutsideError, match="forbids some of its values together"):
        placed(space(), {"kind": "adam", "size": 32})


SPACES = {
    "default": lambda: loading.load("default", TYPICAL),
    "mixed": mixed_space,
    "thorny": thorny_space,
    "conditions and clauses": space,
}


@tried(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.sampled_from(list(SPACES)))
def test_every_configuration_of_a_space_is_its_own_place(seed, name):
    found = SPACES[name]()
    found.seed(seed)
    point = configspace.plain(found.sample_configuration())
    assert placed(found, point) == point
