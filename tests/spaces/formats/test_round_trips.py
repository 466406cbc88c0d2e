"""Spaces of every kind of hyperparameter, condition and clause: readers and optimizers agree."""

import json
import tempfile
from pathlib import Path

import ConfigSpace as CS  # noqa: N817
import numpy as np
import pytest
from ConfigSpace.exceptions import ActiveHyperparameterNotSetError, ForbiddenValueError
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bohb_seg import plugins
from bohb_seg.search.hyperband import Ladder
from bohb_seg.spaces.formats import configspace, loading

LADDER = Ladder(1, 9, 3)
OPTIMIZERS = plugins.names("optimizers")
SUGGESTIONS = 30
"""More than twice what BOHB wants before it models the largest of these spaces."""

CHOICES = [["a", "b"], ["a", "b", "c"], [True, False], [1, 2, 4], [None, "x"], [0.5, 3, "y"]]
SEQUENCES = [[16, 24, 32, 48, 64], ["small", "large"], [0.1, 0.2, 0.4]]


@st.composite
def parameters(draw: st.DrawFn, name: str) -> CS.hyperparameters.Hyperparameter:
    match draw(st.integers(0, 5)):
        case 0:
            return CS.Float(name, (1e-4, 10), log=draw(st.booleans()))
        case 1:
            return CS.Integer(name, (1, 12), log=draw(st.booleans()))
        case 2 | 3:
            values = draw(st.sampled_from(CHOICES))
            weights = draw(st.sampled_from([None, [0.1 + i for i in range(len(values))]]))
            return CS.CategoricalHyperparameter(name, values, weights=weights)
        case 4:
            return CS.OrdinalHyperparameter(name, draw(st.sampled_from(SEQUENCES)))
        case _:
            return CS.Constant(name, draw(st.sampled_from([3, 0.5, "fixed"])))


def values_of(parameter):
    if isinstance(parameter, CS.CategoricalHyperparameter):
        return list(parameter.choices)
    if isinstance(parameter, CS.OrdinalHyperparameter):
        return list(parameter.sequence)
    if isinstance(parameter, CS.UniformIntegerHyperparameter):
        return list(range(parameter.lower, parameter.upper + 1))
    return []


@st.composite
def spaces_of_all_kinds(draw: st.DrawFn) -> CS.ConfigurationSpace:
    space = CS.ConfigurationSpace(name="drawn")
    names = [f"h{index}" for index in range(draw(st.integers(2, 5)))]
    space.add(draw(parameters(name)) for name in names)
    finite = [name for name in names if values_of(space[name])]
    try:
        for child, parent in zip(names[1:], names, strict=False):
            if parent in finite and draw(st.booleans()):
                space.add(draw(conditions(space[child], space[parent])))
        for _ in range(draw(st.integers(0, 2)) if len(finite) > 1 else 0):
            space.add(draw(clauses(*(space[name] for name in draw(st.permutations(finite))[:2]))))
    except (ForbiddenValueError, ActiveHyperparameterNotSetError):
        # The default configuration is forbidden, or ConfigSpace finds none.
        assume(False)
    return space


@st.composite
def conditions(draw: st.DrawFn, child, parent):
    values = values_of(parent)
    value = draw(st.sampled_from(values))
    kinds = [
        CS.EqualsCondition(child, parent, value),
        CS.NotEqualsCondition(child, parent, value),
        CS.InCondition(child, parent, values[: draw(st.integers(1, len(values)))]),
    ]
    if not isinstance(parent, CS.CategoricalHyperparameter):
        kinds.append(CS.GreaterThanCondition(child, parent, values[0]))
    return draw(st.sampled_from(kinds))


@st.composite
def clauses(draw: st.DrawFn, first, second):
    chosen, others = draw(st.sampled_from(values_of(first))), values_of(second)
    others = others[: draw(st.integers(1, 2))]
    return CS.ForbiddenAndConjunction(
        CS.ForbiddenEqualsClause(first, chosen), CS.ForbiddenInClause(second, others)
    )


def suggestions(optimizer, space):
    searcher = plugins.find("optimizers", optimizer).build(space, LADDER, 7)
    losses = np.random.default_rng(0)
    found = []
    for number in range(SUGGESTIONS):
        suggestion = searcher.suggest()
        loss = None if number % 9 == 0 else losses.random()
        searcher.observe(suggestion.configuration, 9.0, loss)
        found.append(suggestion)
    return found


def copies(space):
    form = configspace.to_json(space)
    assert json.loads(json.dumps(form)) == form
    yield configspace.from_json(form)
    with tempfile.TemporaryDirectory() as folder:
        for name, write in [("s.json", space.to_json), ("s.yaml", space.to_yaml)]:
            write(Path(folder) / name)
            yield loading.load(str(Path(folder) / name))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@settings(max_examples=15, deadline=None)
@given(space=spaces_of_all_kinds())
def test_suggestions_are_legal_and_survive_every_format(optimizer, space):
    expected = suggestions(optimizer, space)
    for suggestion in expected:
        CS.Configuration(space, values=dict(suggestion.configuration)).check_valid_configuration()
        assert json.loads(json.dumps(suggestion.configuration)) == suggestion.configuration
    for copy in copies(space):
        assert suggestions(optimizer, copy) == expected


@settings(deadline=None)
@given(spaces_of_all_kinds(), st.integers(0, 5), st.integers(0, 9))
def test_many_points_are_decoded_as_each_alone(space, number, seed):
    space.seed(seed)
    points = space.sample_configuration(number) if number > 1 else []
    alone = [configspace.plain(point) for point in points]
    together = configspace.plain_all(space, points)
    assert [typed(each) for each in together] == [typed(each) for each in alone]


def typed(configuration):
    return [(name, type(value), value) for name, value in configuration.items()]
