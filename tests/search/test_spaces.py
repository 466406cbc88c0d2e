import json

import ConfigSpace as CS  # noqa: N817
import numpy as np
import pytest
from scipy.stats import kstest, norm

from bohb_seg import plugins, spaces
from bohb_seg.errors import SpaceError, UnknownPluginError

NAMES = plugins.names("spaces")
PLAIN = (bool, int, float, str, type(None))


def test_all_are_there():
    assert NAMES == ("counting", "default", "quick", "seed-bohb", "seed-hyperband")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", NAMES)
def test_contract(name):
    space = spaces.load(name)
    default = spaces.plain(space.get_default_configuration())
    space.seed(0)
    for configuration in [default, *map(spaces.plain, space.sample_configuration(200))]:
        assert all(type(value) in PLAIN for value in configuration.values())
        back = json.loads(json.dumps(configuration))
        assert spaces.plain(CS.Configuration(space, values=back)) == configuration
    assert spaces.from_json(json.loads(json.dumps(spaces.to_json(space)))) == space


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("seed-hyperband", {"batch_size": 16, "learning_rate": 0.007, "activation": "relu"}),
        (
            "seed-bohb",
            {
                "batch_size": 16,
                "val_batch_size": 16,
                "learning_rate": 0.007,
                "activation": "relu",
            },
        ),
    ],
)
def test_reports_defaults(name, expected):
    assert spaces.plain(spaces.load(name).get_default_configuration()) == expected


def test_default_space_leaves_inactive_out():
    space = spaces.load("default")
    space.seed(0)
    for configuration in map(spaces.plain, space.sample_configuration(300)):
        sgd, loss = configuration["optimizer"] == "sgd", configuration["loss"]
        assert ("sgd_learning_rate" in configuration) == sgd
        assert ("learning_rate" in configuration) == (not sgd)
        assert ("weight_decay" in configuration) == (configuration["optimizer"] != "adam")
        assert ("region_weight" in configuration) == loss.startswith("dice+")
        assert ("focal_gamma" in configuration) == (loss == "dice+focal")


def test_unknown_name_lists_those_that_exist():
    with pytest.raises(UnknownPluginError) as error:
        spaces.load("wide")
    assert str(error.value) == (
        "unknown space 'wide'; there are: counting, default, quick, seed-bohb, seed-hyperband"
    )


@pytest.mark.parametrize("suffix", ["json", "yaml"])
def test_configspace_files(tmp_path, suffix):
    space = spaces.load("default")
    path = tmp_path / f"space.{suffix}"
    (space.to_json if suffix == "json" else space.to_yaml)(path)
    assert spaces.load(str(path)) == space


def test_python_file(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        "from ConfigSpace import ConfigurationSpace\n"
        "def space():\n    return ConfigurationSpace({'x': (0.0, 1.0)})\n"
    )
    assert list(spaces.load(str(path))) == ["x"]


def nni(tmp_path, kind, value):
    path = tmp_path / "search_space.json"
    path.write_text(json.dumps({"h": {"_type": kind, "_value": value}}))
    return spaces.load(str(path))["h"]


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("choice", ["a", 2, None], CS.CategoricalHyperparameter("h", ["a", 2, None])),
        ("randint", [1, 9], CS.UniformIntegerHyperparameter("h", 1, 8)),
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
def test_nni_types(tmp_path, kind, value, expected):
    assert nni(tmp_path, kind, value) == expected


def test_quniform_has_the_values_nni_gives(tmp_path):
    low, high, step = 0.1, 0.5, 0.2
    uniform = np.random.default_rng(0).uniform(low, high, 2000)
    theirs = np.unique(np.clip(np.round(uniform / step) * step, low, high).round(12))
    assert nni(tmp_path, "quniform", [low, high, step]).sequence == tuple(theirs)


def test_lognormal_has_nnis_distribution(tmp_path):
    parameter = nni(tmp_path, "lognormal", [0.5, 0.7])
    values = parameter.sample_value(4000, seed=np.random.RandomState(0))
    assert kstest(np.log(values), norm(0.5, 0.7).cdf).pvalue > 1e-3


@pytest.mark.parametrize(
    ("kind", "value", "complaint"),
    [
        ("choice", [{"_name": "a"}], "nested choices cannot be expressed"),
        ("choice", [[1, 2]], "nested choices cannot be expressed"),
        ("choice", [], "expected a list of values"),
        ("qlognormal", [0, 1, 1], "this type cannot be expressed; those that can are: choice, "),
        ("qloguniform", [1, 64, 8], "the step 8 cannot be expressed, only 1"),
        ("randint", [1.5, 9], "1.5 must be a whole number"),
        ("uniform", [1], "expected [low, high], not [1]"),
        ("uniform", ["a", "b"], "could not convert string to float"),
        ("uniform", [2, 1], "the lower bound 2 is not below the upper bound 1"),
        ("quniform", [0, 1, 0], "is not a list of values"),
        ("normal", [0, -1], ""),
    ],
)
def test_nni_refusals_name_file_and_hyperparameter(tmp_path, kind, value, complaint):
    with pytest.raises(SpaceError) as error:
        nni(tmp_path, kind, value)
    message = str(error.value)
    assert message.startswith(f"search space {tmp_path / 'search_space.json'}: h ({kind}): ")
    assert complaint in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("s.json", None, "there is no such file"),
        ("s.json", "{", "is broken: "),
        ("s.json", "[]", "is neither ConfigSpace's format"),
        ("s.json", "{}", "is neither ConfigSpace's format"),
        ("s.yaml", "a: [", "is broken: "),
        ("s.yaml", "a: 1", "is neither ConfigSpace's format"),
        ("s.json", '{"hyperparameters": [{"type": "x"}]}', "search space"),
        ("s.json", '{"hyperparameters": 3}', "search space"),
        ("s.json", '{"hyperparameters": [{"type": "uniform_int", "name": "i"}]}', "search space"),
        ("s.json", '{"hyperparameters": [], "conditions": [], "forbiddens": []}', "is empty"),
        ("s.py", "x = 1", "does not define space()"),
        ("s.py", "def space(): return 3", "must return a ConfigSpace.ConfigurationSpace, not int"),
        ("s.py", "import nonsense_", "fails: ModuleNotFoundError: No module named 'nonsense_'"),
        ("s.py", "def space(:", "fails: SyntaxError"),
        (
            "s.py",
            "from ConfigSpace import *\ndef space():\n  s = ConfigurationSpace()\n"
            "  s.add(Categorical('c', [(1, 2), (3, 4)]))\n  return s",
            "c may not take the value (1, 2)",
        ),
    ],
)
def test_broken_files_are_one_sentence(tmp_path, name, text, complaint):
    path = tmp_path / name
    if text is not None:
        path.write_text(text)
    with pytest.raises(SpaceError) as error:
        spaces.load(str(path))
    assert complaint in str(error.value)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)
