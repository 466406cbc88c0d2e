"""NNI's search_space.json: every type, nesting, and what is refused."""

import json

import ConfigSpace as CS  # noqa: N817
import numpy as np
import pytest
from scipy.stats import chisquare, kstest, norm

from bohb_seg.errors import SpaceError
from bohb_seg.spaces.formats import configspace, loading

DRAWS = 4000


def load(tmp_path, form):
    path = tmp_path / "search_space.json"
    path.write_text(json.dumps(form))
    return loading.load(str(path))


def one(tmp_path, kind, value):
    return load(tmp_path, {"h": {"_type": kind, "_value": value}})["h"]


def choice(*values):
    return {"_type": "choice", "_value": list(values)}


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("choice", ["a", 2, None], CS.CategoricalHyperparameter("h", ["a", 2, None])),
        ("randint", [1, 9], CS.UniformIntegerHyperparameter("h", 1, 8)),
        ("randint", [3, 4], CS.Constant("h", 3)),
        ("uniform", [0.5, 2], CS.UniformFloatHyperparameter("h", 0.5, 2)),
        ("loguniform", [1e-4, 1], CS.UniformFloatHyperparameter("h", 1e-4, 1, log=True)),
        ("quniform", [2, 9, 1], CS.UniformIntegerHyperparameter("h", 2, 9)),
        (
            "quniform",
            [0.1, 0.5, 0.2],
            CS.OrdinalHyperparameter("h", [0.2, 0.4], default_value=0.4),
        ),
        ("qloguniform", [1, 64, 1], CS.UniformIntegerHyperparameter("h", 1, 64, log=True)),
        ("normal", [1, 2], CS.NormalFloatHyperparameter("h", 1, 2, -7, 9)),
        ("qnormal", [5, 2, 1], CS.NormalIntegerHyperparameter("h", 5, 2, -3, 13)),
    ],
)
def test_types(tmp_path, kind, value, expected):
    assert one(tmp_path, kind, value) == expected


def nnis(kind, mean_or_low, deviation_or_high, step):
    """NNI's own formulas, nni/parameter_expressions.py."""
    random = np.random.default_rng(0)
    first, second = mean_or_low, deviation_or_high
    match kind:
        case "quniform":
            drawn = random.uniform(first, second, DRAWS)
        case "qloguniform":
            drawn = np.exp(random.uniform(np.log(first), np.log(second), DRAWS))
        case "qnormal":
            drawn = random.normal(first, second, DRAWS)
        case "qlognormal":
            drawn = np.exp(random.normal(first, second, DRAWS))
    rounded = np.round(drawn / step) * step
    return np.clip(rounded, first, second) if kind.endswith("uniform") else rounded


def test_quniform_has_the_values_nni_gives(tmp_path):
    for value in [0.1, 0.5, 0.2], [0, 10, 2.5], [2, 10, 5]:
        theirs = np.unique(nnis("quniform", *value).round(12))
        assert one(tmp_path, "quniform", value).sequence == tuple(theirs)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("qloguniform", [16, 128, 16]),
        ("qloguniform", [0.01, 0.1, 0.03]),
        ("qnormal", [5, 2, 2.5]),
        ("qlognormal", [0, 0.5, 1]),
        ("qlognormal", [2, 0.3, 2]),
    ],
)
def test_rounded_types_have_nnis_values_and_probabilities(tmp_path, kind, value):
    parameter = one(tmp_path, kind, value)
    theirs = nnis(kind, *value)
    counts = [np.isclose(theirs, choice).sum() for choice in parameter.choices]
    assert sum(counts) >= 0.999 * DRAWS
    expected = np.array(parameter.probabilities)
    frequent = expected * DRAWS >= 5
    counts, expected = np.array(counts)[frequent], expected[frequent]
    assert chisquare(counts, expected / expected.sum() * counts.sum()).pvalue > 1e-3
    assert parameter.default_value == parameter.choices[int(np.argmax(parameter.probabilities))]


def test_lognormal_has_nnis_distribution(tmp_path):
    parameter = one(tmp_path, "lognormal", [0.5, 0.7])
    values = parameter.sample_value(DRAWS, seed=np.random.RandomState(0))
    assert kstest(np.log(values), norm(0.5, 0.7).cdf).pvalue > 1e-3


def test_nested_choices_are_conditions(tmp_path):
    rate = {"_type": "loguniform", "_value": [1e-4, 1e-2]}
    decay = {"_type": "uniform", "_value": [0, 1]}
    warm_up = choice({"_name": "yes", "steps": {"_type": "randint", "_value": [1, 9]}}, "no")
    form = {
        "optimizer": choice(
            {"_name": "adam", "learning_rate": rate},
            {"_name": "adamw", "learning_rate": rate, "weight_decay": decay, "warm_up": warm_up},
            "none",
        )
    }
    space = load(tmp_path, form)
    optimizer = CS.CategoricalHyperparameter("optimizer", ["adam", "adamw", "none"])
    inner = CS.CategoricalHyperparameter("warm_up", ["yes", "no"])
    learning_rate = CS.Float("learning_rate", (1e-4, 1e-2), log=True)
    weight_decay, steps = CS.Float("weight_decay", (0, 1)), CS.Integer("steps", (1, 8))
    expected = CS.ConfigurationSpace()
    expected.add(
        *(optimizer, learning_rate, weight_decay, inner, steps),
        CS.InCondition(learning_rate, optimizer, ["adam", "adamw"]),
        *(CS.InCondition(child, optimizer, ["adamw"]) for child in (weight_decay, inner)),
        CS.InCondition(steps, inner, ["yes"]),
    )
    assert space == expected


def test_nnis_own_example_of_nested_choices(tmp_path):
    """examples/trials/mnist-nested-search-space: one name in many places."""
    layer = choice(
        {"_name": "Empty"},
        {"_name": "Conv", "kernel_size": choice(1, 2, 3, 5)},
        {"_name": "Max_pool", "pooling_size": choice(2, 3, 5)},
        {"_name": "Avg_pool", "pooling_size": choice(2, 3, 5)},
    )
    space = load(tmp_path, {"layer0": layer, "layer1": layer})
    layers = ("layer0", "layer1")
    sizes = ("kernel_size", "pooling_size")
    assert set(space) == {*layers, *(f"{name}.{size}" for name in layers for size in sizes)}
    space.seed(0)
    for configuration in map(configspace.plain, space.sample_configuration(100)):
        for name in layers:
            kind = configuration[name]
            assert (f"{name}.kernel_size" in configuration) == (kind == "Conv")
            assert (f"{name}.pooling_size" in configuration) == kind.endswith("pool")


OTHER = {"_type": "uniform", "_value": [0, 2]}


@pytest.mark.parametrize(
    ("kind", "value", "complaint"),
    [
        ("choice", [{"x": OTHER}], "needs a _name"),
        ("choice", [{"_name": 3}], "needs a _name"),
        (
            "choice",
            [{"_name": "a", "x": 3}],
            "'x' of the option a needs _type and _value alone, not 3",
        ),
        (
            "choice",
            [{"_name": "a", "x": OTHER}, {"_name": "b", "x": {**OTHER, "_value": [0, 1]}}],
            "its options describe x in different ways, which cannot be expressed",
        ),
        ("choice", [{"_name": "a"}, "a"], ""),
        ("choice", [[1, 2]], "a list cannot be a value"),
        ("choice", [], "expected a list of values"),
        ("choice", "abc", "expected a list of values, not 'abc'"),
        ("choice", 3, "expected a list of values, not 3"),
        ("zipf", [0, 1, 1], "this type cannot be expressed; those that can are: choice, randint"),
        ("randint", [1.5, 9], "1.5 must be a whole number"),
        ("randint", [9, 9], "the lower bound 9 is not below the upper bound 9"),
        ("uniform", [1], "expected [low, high], not [1]"),
        ("uniform", ["a", "b"], "expected finite numbers, not ['a', 'b']"),
        ("uniform", ["1e-4", "1"], "expected finite numbers, not ['1e-4', '1']"),
        ("uniform", [False, True], "expected finite numbers, not [False, True]"),
        ("uniform", [0, 1e308], "the bound 1e+308 is too large; stay below 1e+200"),
        ("normal", [0, 1e306], "the standard deviation 1e+306 is too small or large for 0"),
        ("uniform", [0, 1e-15], "the bound 1e-15 would become 0: ConfigSpace keeps 13 decimals"),
        (
            "loguniform",
            [1.4e-13, 1],
            "the bound 1.4e-13 would become 1e-13: ConfigSpace keeps 13 decimals",
        ),
        ("choice", ["a", "b", "a"], "the value 'a' stands there twice"),
        ("choice", [1, True], "the value 1 stands there twice (true equals 1)"),
        ("choice", ["a", "b\n"], "'b\\n' cannot be a value"),
        ("choice", list(range(10**5)), "it has more than 10000 values"),
        ("randint", [0, 2**60], "is too large to be kept exactly"),
        ("quniform", [0, 2**60, 1], "is too large to be kept exactly"),
        ("normal", [1e20, 1], "the standard deviation 1 is too small or large for 1e+20"),
        ("uniform", [2, 1], "the lower bound 2 is not below the upper bound 1"),
        ("loguniform", [0, 1], "the lower bound 0 of a logarithmic scale must be above 0"),
        ("qloguniform", [-1, 1, 0.5], "the lower bound -1 of a logarithmic scale must be above 0"),
        ("quniform", [0, 1, 0], "the step 0 must be above 0"),
        ("quniform", [0, 1, 1e-4], "steps of 0.0001 from 0 to 1 are more than 1000 values"),
        ("qloguniform", [1, 500, 2], "are more than 100 values; take a larger step"),
        ("qlognormal", [0, 5, 1], "are more than 100 values; take a larger step"),
        ("lognormal", [0, 400], "math range error"),
        ("uniform", [0, 10**400], "expected finite numbers"),
        ("normal", [0, -1], "the standard deviation -1 must be above 0"),
        ("qnormal", [0, 1, -1], "the step -1 must be above 0"),
    ],
)
def test_refusals_name_file_and_hyperparameter(tmp_path, kind, value, complaint):
    with pytest.raises(SpaceError) as error:
        one(tmp_path, kind, value)
    message = str(error.value)
    assert message.startswith(f"search space {tmp_path / 'search_space.json'}: h ({kind}): ")
    assert complaint in message
    assert "\n" not in message


def test_refusals_name_what_is_nested(tmp_path):
    with pytest.raises(SpaceError, match=r": h\.x \(zipf\): this type cannot be expressed"):
        one(tmp_path, "choice", [{"_name": "a", "x": {"_type": "zipf", "_value": []}}])


@pytest.mark.parametrize(
    ("form", "complaint"),
    [
        ({"a": OTHER, "b": {**OTHER, "_default": 1}}, "'b': expected a table of _type and _value"),
        ({"a": OTHER, "b": {"_type": "uniform", "_vlaue": [0, 1]}}, "'b': expected a table of"),
        ({"a": OTHER, "b": 3}, "'b': expected a table of _type and _value alone, not 3"),
        ({"a": {**OTHER, "_type": ["uniform"]}}, "'a': its _type ['uniform'] is no type"),
        ({"a": {**OTHER, "_type": "\x1b[2J"}}, r"'a': its _type '\x1b[2J' is no type"),
        ({"a\x1b": OTHER}, "the name 'a\\x1b' cannot be printed"),
        ({"a": choice(True, 2)}, "a has the value True, which would be drawn as 1"),
        ({"a": choice({"_name": "o", "x\n": OTHER})}, "the name 'x\\n' cannot be printed"),
    ],
)
def test_entries_that_are_not_nnis_are_refused(tmp_path, form, complaint):
    with pytest.raises(SpaceError) as error:
        load(tmp_path, form)
    assert complaint in str(error.value)
    assert str(error.value).isprintable()
