"""ConfigSpace's format: every field is understood or refused, with its name, value and reason."""

import json
import warnings

import ConfigSpace as CS  # noqa: N817
import pytest

from bohb_seg.errors import SpaceError
from bohb_seg.spaces.formats import configspace, loading

INT = {"name": "x", "type": "uniform_int", "lower": 16, "upper": 64}
FLOAT = {"name": "y", "type": "uniform_float", "lower": 0.0, "upper": 1.0}
NORMAL = {"name": "n", "type": "normal_float", "mu": 1, "sigma": 1, "lower": 0, "upper": 2}
BETA = {"name": "b", "type": "beta_int", "alpha": 2, "beta": 2, "lower": 0, "upper": 9}
CHOICE = {"name": "c", "type": "categorical", "choices": ["a", "b"]}
ORDER = {"name": "o", "type": "ordinal", "sequence": [1, 2, 4]}
FIXED = {"name": "k", "type": "constant", "value": 3}
EQUALS = {"type": "EQ", "child": "x", "parent": "c", "value": "a"}
CLAUSE = {"type": "EQUALS", "name": "c", "value": "b"}


def space_file(tmp_path, *hyperparameters, **more):
    path = tmp_path / "space.json"
    path.write_text(json.dumps({"hyperparameters": hyperparameters, **more}))
    return path


def load(tmp_path, *hyperparameters, **more):
    return loading.load(str(space_file(tmp_path, *hyperparameters, **more)))


def refusal(tmp_path, *hyperparameters, **more):
    path = space_file(tmp_path, *hyperparameters, **more)
    with pytest.raises(SpaceError) as error:
        loading.load(str(path))
    message = str(error.value)
    assert message.startswith(f"search space {path}")
    assert message.isprintable()
    return message.removeprefix(f"search space {path}").removeprefix(": ")


# --- what is meant ----------------------------------------------------------------------------


def test_steps_of_files_before_1_0_are_kept(tmp_path):
    """ConfigSpace 1.x drops them: 60, 63 and 19 were drawn where multiples of 16 were meant."""
    space = load(tmp_path, {**INT, "default": 32, "q": 16}, {**FLOAT, "default": 0.5, "q": 0.25})
    assert space["x"] == CS.OrdinalHyperparameter("x", [16, 32, 48, 64], default_value=32)
    assert space["y"] == CS.OrdinalHyperparameter("y", [0, 0.25, 0.5, 0.75, 1], default_value=0.5)
    space.seed(0)
    drawn = [configspace.plain(each) for each in space.sample_configuration(200)]
    assert {each["x"] for each in drawn} == {16, 32, 48, 64}
    assert {each["y"] for each in drawn} == {0, 0.25, 0.5, 0.75, 1}
    assert {type(each["x"]) for each in drawn} == {int}


def test_steps_without_a_default_begin_in_the_middle(tmp_path):
    assert load(tmp_path, {**INT, "q": 16})["x"].default_value == 32
    assert load(tmp_path, {**INT, "q": 1})["x"] == CS.UniformIntegerHyperparameter("x", 16, 64)
    assert load(tmp_path, {**INT, "q": None})["x"] == CS.UniformIntegerHyperparameter("x", 16, 64)


def test_conditions_and_clauses_may_name_values_in_steps(tmp_path):
    greater = {"type": "GT", "child": "y", "parent": "x", "value": 32}
    clause = {"type": "IN", "name": "x", "values": [64]}
    space = load(tmp_path, {**INT, "q": 16}, FLOAT, conditions=[greater], forbiddens=[clause])
    space.seed(0)
    for each in map(configspace.plain, space.sample_configuration(100)):
        assert ("y" in each) == (each["x"] == 48)
        assert each["x"] != 64


def test_probabilities_of_files_before_1_0_are_weights(tmp_path):
    """ConfigSpace 1.x drops them, too."""
    space = load(tmp_path, {**CHOICE, "probabilities": [0.9, 0.1], "weights": None})
    assert list(space["c"].probabilities) == pytest.approx([0.9, 0.1])


def test_a_default_of_null_is_one_where_null_is_a_choice(tmp_path):
    """ConfigSpace 1.x takes an old file's null for no default."""
    form = {**CHOICE, "choices": ["a", None], "default": None}
    assert load(tmp_path, form)["c"].default_value is None


def test_constants_had_another_name(tmp_path):
    assert load(tmp_path, {**FIXED, "type": "unparametrized"})["k"] == CS.Constant("k", 3)


def test_what_configspace_warns_of_is_logged(tmp_path, monkeypatch, caplog):
    def from_json(form):
        warnings.warn("something\nis odd", stacklevel=1)
        return original(form)

    original = configspace.from_json
    monkeypatch.setattr(configspace, "from_json", from_json)
    load(tmp_path, INT)
    assert "space.json: ConfigSpace warns: something is odd" in caplog.text


def test_a_small_default_is_near_enough(tmp_path):
    form = {**FLOAT, "lower": 1e-5, "log": True, "default_value": 0.00316227766016837933199889}
    assert load(tmp_path, form)["y"].default_value == pytest.approx(0.00316227766)


# --- what is refused --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ({**INT, "q": 7}, "x (uniform_int): q 7 does not lead from lower 16 to upper 64 in whole"),
        ({**INT, "q": 0.5}, "x (uniform_int): q 0.5 is no step between the values of this type"),
        ({**FLOAT, "q": -0.5}, "y (uniform_float): q -0.5 is no step"),
        ({**FLOAT, "q": 1e-9}, "y (uniform_float): q 1e-09 makes more than 10000 values"),
        ({**FLOAT, "q": 1e-320}, "y (uniform_float): q 1e-320 would become 0"),
        ({**INT, "q": 16, "log": True}, "x (uniform_int): q 16 cannot be kept on this scale"),
        ({**NORMAL, "q": 0.5}, "n (normal_float): q 0.5 cannot be kept on this scale"),
        (
            {**INT, "q": 16, "default": 40},
            "default_value 40 is none of the values in steps of q 16",
        ),
        ({**FLOAT, "lower": "1e-4"}, "y (uniform_float): lower '1e-4' is text; write a number"),
        ({**FLOAT, "lower": True}, "y (uniform_float): lower True is no finite number"),
        ({**FLOAT, "upper": None}, "y (uniform_float): upper None is no finite number"),
        ({**FLOAT, "upper": 10**400}, "y (uniform_float): upper 1000"),
        ({**FLOAT, "lower": 1.0}, 'upper 1.0 equals lower; for a single value use the type "const'),
        ({**FLOAT, "lower": 2.0}, "y (uniform_float): upper 1.0 lies below lower 2.0"),
        (
            {**FLOAT, "lower": -1e308, "upper": 1e308},
            "lower -1e+308 is too large; stay below 1e+200",
        ),
        ({**FLOAT, "log": True}, "lower 0.0 must be above 0 on a logarithmic scale (log)"),
        ({**FLOAT, "log": "false"}, "y (uniform_float): log 'false' is neither true nor false"),
        ({**FLOAT, "log": 1}, "y (uniform_float): log 1 is neither true nor false"),
        ({**FLOAT, "default_value": 2}, "default_value 2 is not within 0 and 1"),
        ({**FLOAT, "default": "a"}, "default_value 'a' is text"),
        (
            {**FLOAT, "default": 0.1, "default_value": 0.2},
            "default 0.1 contradicts default_value 0.2",
        ),
        ({**FLOAT, "lower": 1e-15, "log": True}, "lower 1e-15 would become 0: ConfigSpace"),
        (
            {**FLOAT, "lower": 1.4e-13, "log": True},
            "lower 1.4e-13 would become 1e-13: ConfigSpace keeps 13",
        ),
        ({**INT, "lower": 16.5}, "x (uniform_int): lower 16.5 is no whole number"),
        ({**INT, "upper": 2**60}, "upper 1152921504606846976 is too large to be kept exactly"),
        ({**INT, "default": 32.5}, "default_value 32.5 is no whole number"),
        (
            {**INT, "loog": True},
            "the field 'loog' is unknown; remove it, there are: name, type, low",
        ),
        ({"name": "x", "type": "uniform_int", "lower": 1}, "the field 'upper' is missing"),
        (
            {**INT, "type": "zipf"},
            "x: type 'zipf' cannot be expressed; those that can are: uniform_f",
        ),
        ({**INT, "type": ["zipf"]}, "x: type ['zipf'] is no type"),
        ({"name": "x"}, "x: type None is no type"),
        ({**INT, "name": 7}, "hyperparameter 1: the name 7 is no text"),
        ({**INT, "name": ""}, "hyperparameter 1: the name '' cannot be printed on one line"),
        ({**INT, "name": "\x1b[31mx"}, r"the name '\x1b[31mx' cannot be printed on one line"),
        ({**INT, "name": "x" * 300}, "the name 'xxx"),
        ({**NORMAL, "sigma": 0}, "n (normal_float): sigma 0 must be above 0"),
        ({**NORMAL, "mu": 0, "lower": 0.1, "log": True}, "mu 0 must be above 0 on a logarithmic"),
        ({**NORMAL, "lower": None}, "n (normal_float): lower None is no finite number"),
        ({**BETA, "alpha": 0.5}, "b (beta_int): alpha 0.5 must be at least 1"),
        ({**CHOICE, "choices": "ab"}, "c (categorical): choices 'ab' is no list of values"),
        ({**CHOICE, "choices": []}, "c (categorical): choices [] is no list of values"),
        ({**CHOICE, "choices": ["a", "a"]}, "choices has the value 'a' twice"),
        ({**CHOICE, "choices": [1, True]}, "choices has the value 1 twice (true equals 1)"),
        ({**CHOICE, "choices": [True, 2]}, "c has the value True, which would be drawn as 1; use"),
        (
            {**CHOICE, "choices": [0.5, 2**53 + 1]},
            "c has the value 9007199254740993, which would be",
        ),
        ({**CHOICE, "choices": ["a", {}]}, "c (categorical): may not take the value {}"),
        ({**CHOICE, "choices": ["a", "b\n"]}, r"may not take the value 'b\n'; use finite numbers"),
        ({**CHOICE, "choices": list(range(10**5))}, "choices has more than 10000 values"),
        ({**ORDER, "sequence": list(range(10**5))}, "sequence has more than 10000 values"),
        ({**CHOICE, "default_value": "z"}, "default_value 'z' is none of the choices"),
        ({**CHOICE, "default": None}, "default_value None is none of the choices"),
        ({**ORDER, "weights": [1, 2, 3]}, "o (ordinal): the field 'weights' is unknown"),
        ({**CHOICE, "weights": [1]}, "weights [1] are no list of 2 numbers, one for each choice"),
        (
            {**CHOICE, "weights": [1, -1]},
            "weights [1, -1] are not all finite numbers of at least 0",
        ),
        ({**CHOICE, "weights": [1, "2"]}, "weights [1, '2'] are not all finite numbers"),
        ({**CHOICE, "weights": [0, 0]}, "weights [0, 0] have no sum above 0"),
        ({**CHOICE, "weights": [1e308, 1e308]}, "have no sum above 0"),
        ({**CHOICE, "weights": [1, 2], "probabilities": [0.5, 0.5]}, "contradicts weights [1, 2]"),
        ({**FIXED, "value": [1]}, "k (constant): value [1] is no finite number"),
        ("x", "hyperparameter 1 is 'x', no table"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_a_hyperparameter_that_does_not_mean_what_it_says(tmp_path, form, sentence):
    assert sentence in refusal(tmp_path, form)


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"forbidens": []}, "the field 'forbidens' is unknown; remove it, there are: hyperparam"),
        ({"conditions": {}}, "conditions {} is no list"),
        ({"conditions": [EQUALS, EQUALS]}, "ConfigSpace keeps 1 of its 2 conditions; remove those"),
        (
            {"conditions": [EQUALS, {"type": "LT", "child": "c", "parent": "x", "value": 20}]},
            "is not a ConfigSpace: CyclicDependancyError",
        ),
        (
            {"conditions": [{**EQUALS, "type": "EQUALS"}]},
            "condition 1: type 'EQUALS' is no type of",
        ),
        (
            {"conditions": [{**EQUALS, "type": ["EQ"]}]},
            "condition 1: type ['EQ'] is no type of con",
        ),
        ({"conditions": [{**EQUALS, "child": "z"}]}, "child 'z' is no hyperparameter of this file"),
        ({"conditions": [{**EQUALS, "child": ["x"]}]}, "child ['x'] is no hyperparameter of this"),
        ({"conditions": [{**EQUALS, "child": "c"}]}, "is not a ConfigSpace: The child and parent"),
        ({"conditions": [{**EQUALS, "value": "z"}]}, "conditional on the illegal value 'z'"),
        ({"conditions": [{**EQUALS, "type": "GT"}]}, "must be orderable"),
        (
            {"conditions": [{"type": "AND", "conditions": []}]},
            "condition 1: conditions [] is empty",
        ),
        (
            {"conditions": [{"type": "AND", "child": "c", "conditions": [EQUALS]}]},
            "condition 1: child 'c' is not the child of its conditions",
        ),
        (
            {"conditions": [{"type": "OR", "conditions": [EQUALS, {**EQUALS, "valeu": 1}]}]},
            "condition 1, condition 2: the field 'valeu' is unknown",
        ),
        (
            {"conditions": [{"type": "IN", "child": "x", "parent": "c", "values": "ab"}]},
            "condition 1: values 'ab' is no list",
        ),
        (
            {"conditions": [{"type": "IN", "child": "x", "parent": "c", "values": []}]},
            "condition 1: values [] is empty",
        ),
        ({"forbiddens": [{**CLAUSE, "type": "NEQ"}]}, "forbidden 1: type 'NEQ' is no type of forb"),
        ({"forbiddens": [{**CLAUSE, "name": "d"}]}, "name 'd' is no hyperparameter of this file"),
        ({"forbiddens": [{**CLAUSE, "value": "z"}]}, "is not a ConfigSpace: Forbidden clause must"),
        ({"forbiddens": [{**CLAUSE, "value": "\x1b[2J"}]}, r"the value '\x1b[2J' is no finite"),
        ({"forbiddens": [{**CLAUSE, "value": "a"}]}, "its default values together are forbidden ("),
        ({"forbiddens": [{"type": "AND", "clauses": []}]}, "forbidden 1: clauses [] is empty"),
        (
            {"forbiddens": [{"type": "RELATION", "left": "x", "right": "y", "lambda": "LE"}]},
            "forbidden 1: lambda 'LE' is no relation; there are: LT, EQ, GT",
        ),
        (
            {"forbiddens": [{"type": "RELATION_GT", "left": "x", "right": "c"}]},
            "is not a ConfigSpace: '>' not supported",
        ),
        ({"name": "a\nb"}, r"the name 'a\nb' cannot be printed on one line"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_anything_else_that_does_not_mean_what_it_says(tmp_path, more, sentence):
    assert sentence in refusal(tmp_path, INT, FLOAT, CHOICE, **more)


def test_names_that_stand_twice(tmp_path):
    assert "two hyperparameters are called x" in refusal(tmp_path, INT, {**FLOAT, "name": "x"})
