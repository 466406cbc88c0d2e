"""Spaces by name and from files of every format, and one sentence for broken ones."""

import json

import ConfigSpace as CS  # noqa: N817
import pytest

from bohb_seg.errors import PluginError, SpaceError, UnknownPluginError
from bohb_seg.search.data_facts import Facts
from bohb_seg.spaces.formats import loading


def test_unknown_name_lists_those_that_exist():
    with pytest.raises(UnknownPluginError) as error:
        loading.load("wide")
    assert str(error.value) == (
        "unknown space 'wide'; there are: counting, default, milestone3-bohb, milestone3-hyperband,"
        " quick"
    )


@pytest.mark.parametrize("suffix", ["json", "yaml"])
def test_configspace_files(tmp_path, suffix):
    space = loading.load("default")
    path = tmp_path / f"space.{suffix}"
    (space.to_json if suffix == "json" else space.to_yaml)(path)
    assert loading.load(str(path)) == space


def test_python_file(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        "from ConfigSpace import ConfigurationSpace\n"
        "def space():\n    return ConfigurationSpace({'x': (0.0, 1.0)})\n"
    )
    assert list(loading.load(str(path))) == ["x"]


def test_python_file_may_follow_from_the_data(tmp_path, caplog):
    path = tmp_path / "mine.py"
    path.write_text(
        "from ConfigSpace import ConfigurationSpace, Integer\n"
        "def space(facts):\n"
        "    batch = Integer('batch_size', (1, facts.patches), default=facts.classes)\n"
        "    return ConfigurationSpace(space={'batch_size': batch})\n"
    )
    with caplog.at_level("INFO"):
        space = loading.load(str(path), Facts(patch_size=64, patches=9, classes=5))
    assert (space["batch_size"].upper, space["batch_size"].default_value) == (9, 5)
    assert caplog.messages == ["default configuration by rules from the data: batch_size 5"]


@pytest.mark.parametrize("name", ["quick", "milestone3-bohb", "milestone3-hyperband"])
def test_the_reports_values_do_not_follow_from_the_data(name, caplog):
    with caplog.at_level("INFO"):
        assert loading.load(name, Facts(1024, 100_000, 50)) == loading.load(name)
    assert caplog.messages == []


@pytest.mark.filterwarnings("error")
def test_configspace_files_of_before_1_0(tmp_path):
    path = tmp_path / "old.json"
    numbers = {"lower": 0.1, "upper": 1, "default": 0.5, "log": True, "q": None}
    form = {
        "hyperparameters": [
            {"name": "x", "type": "uniform_float", **numbers},
            {
                "name": "c",
                "type": "categorical",
                "choices": ["a", "b"],
                "default": "b",
                "weights": None,
            },
        ],
        "conditions": [{"child": "x", "parent": "c", "type": "EQ", "value": "a"}],
        "forbiddens": [],
        "json_format_version": 0.2,
    }
    path.write_text(json.dumps(form))
    expected = CS.ConfigurationSpace()
    x, c = (
        CS.Float("x", (0.1, 1), default=0.5, log=True),
        CS.Categorical("c", ["a", "b"], default="b"),
    )
    expected.add(x, c, CS.EqualsCondition(x, c, "a"))
    assert loading.load(str(path)) == expected


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("s.json", "{", "is broken: "),
        ("s.json", "[]", "is neither ConfigSpace's format"),
        ("s.json", "{}", "is neither ConfigSpace's format"),
        ("s.yaml", "a: [", "is broken: "),
        ("s.yaml", "a: 1", "is neither ConfigSpace's format"),
        ("s.json", '{"hyperparameters": [{"type": "x"}]}', "search space"),
        ("s.json", '{"hyperparameters": 3}', "search space"),
        ("s.json", '{"hyperparameters": [{"type": "uniform_int", "name": "i"}]}', "search space"),
        ("s.json", '{"hyperparameters": [], "conditions": [], "forbiddens": []}', "is empty"),
        ("s.py", "def space(): return 3", "must return a ConfigSpace.ConfigurationSpace, not int"),
        (
            "s.py",
            "from ConfigSpace import *\ndef space():\n  s = ConfigurationSpace()\n"
            "  s.add(Categorical('c', [(1, 2), (3, 4)]))\n  return s",
            "c may not take the value (1, 2)",
        ),
        (
            "s.py",
            "from ConfigSpace import *\ndef space():\n"
            "  return ConfigurationSpace(space=[Constant('k', (1, 2))])",
            "k may not take the value (1, 2)",
        ),
        ("s.yaml", "!!python/object/apply:os.getcwd []", "is broken: "),
        ("s.json", "[" * 10**5, "is broken: it is nested too deeply"),
        ("s.yaml", "[" * 10**4, "is broken: it is nested too deeply"),
        (
            "s.json",
            '{"hyperparameters": [{"name": "c", "type": "constant", "value": 1}], "forbiddens": ['
            + '{"type": "AND", "clauses": [' * 300
            + '{"type": "EQUALS", "name": "c", "value": 1}'
            + "]}" * 300
            + "]}",
            "is broken: it is nested too deeply",
        ),
    ],
)
def test_broken_files_are_one_sentence(tmp_path, name, text, complaint):
    is_refused(SpaceError, tmp_path / name, text, complaint)


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("s.json", None, "there is no file"),
        ("s.py", None, "there is no file"),
        ("s.py", "x = 1", "does not define space()"),
        (
            "s.py",
            "import nonsense_\ndef space(): return 3",
            "fails in line 1: ModuleNotFoundError: No module named 'nonsense_'",
        ),
        ("s.py", "def space(:", "line 1, is not Python: invalid syntax"),
        (
            "s.py",
            "def space(facts): return facts.colour",
            "fails in line 1: AttributeError: 'Facts' object has no attribute 'colour'",
        ),
        ("s.py", "def space(facts, more): return 3", "fails: TypeError"),
        ("s.py", "space = 3", "fails: TypeError"),
    ],
)
def test_files_that_are_no_space_are_one_sentence(tmp_path, name, text, complaint):
    is_refused(PluginError, tmp_path / name, text, complaint)


def is_refused(kind, path, text, complaint):
    if text is not None:
        path.write_text(text)
    with pytest.raises(kind) as error:
        loading.load(str(path))
    assert complaint in str(error.value)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)
