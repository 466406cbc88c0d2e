"""Files of both formats with something changed: a space comes of them, or one sentence."""

import copy
import json
import math
import tempfile
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from bohb_seg.errors import SpaceError
from bohb_seg.spaces.formats import configspace, drawing, loading

OURS = {
    "name": "all",
    "hyperparameters": [
        {"name": "f", "type": "uniform_float", "lower": 0.1, "upper": 1.0, "log": True},
        {"name": "i", "type": "uniform_int", "lower": 16, "upper": 64, "default": 32, "q": 16},
        {"name": "n", "type": "normal_float", "mu": 1, "sigma": 1, "lower": 0, "upper": 2},
        {"name": "m", "type": "normal_int", "mu": 5, "sigma": 2, "lower": 1, "upper": 9},
        {"name": "b", "type": "beta_float", "alpha": 2, "beta": 3, "lower": 0, "upper": 1},
        {"name": "c", "type": "categorical", "choices": ["a", 2, None], "weights": [1, 2, 3]},
        {"name": "t", "type": "categorical", "choices": [True, False], "default_value": False},
        {"name": "o", "type": "ordinal", "sequence": [1, 2, 4], "default_value": 2, "meta": None},
        {"name": "k", "type": "constant", "value": "x"},
    ],
    "conditions": [
        {"type": "EQ", "child": "f", "parent": "c", "value": "a"},
        {"type": "IN", "child": "n", "parent": "i", "values": [16, 32]},
        {
            "type": "AND",
            "child": "b",
            "conditions": [
                {"type": "GT", "child": "b", "parent": "o", "value": 1},
                {"type": "NEQ", "child": "b", "parent": "t", "value": True},
            ],
        },
    ],
    "forbiddens": [
        {"type": "IN", "name": "o", "values": [4]},
        {
            "type": "AND",
            "clauses": [
                {"type": "EQUALS", "name": "c", "value": 2},
                {"type": "CLAUSE_GT", "name": "m", "value": 8},
            ],
        },
        {"type": "RELATION_GT", "left": "m", "right": "i"},
    ],
    "format_version": 0.4,
}
NNIS = {
    "u": {"_type": "uniform", "_value": [0, 1]},
    "l": {"_type": "qloguniform", "_value": [1, 64, 1]},
    "q": {"_type": "quniform", "_value": [0, 1, 0.25]},
    "n": {"_type": "qnormal", "_value": [5, 2, 2.5]},
    "r": {"_type": "randint", "_value": [1, 9]},
    "c": {
        "_type": "choice",
        "_value": [{"_name": "o", "x": {"_type": "loguniform", "_value": [0.1, 1]}}, "b", 3, None],
    },
}
STRANGE = st.one_of(
    *(st.none(), st.booleans(), st.integers(-3, 70), st.floats(), st.text(max_size=4)),
    st.sampled_from([10**400, 2**60, 1e308, 1e-300, -1, "1e-4", "\x1b[2J", [], {}, [[]], ["a"]]),
    st.sampled_from(["f", "i", "c", "o", "a", "q", "EQ", "uniform_float", "choice", "IN"]),
)


def places(form, path=()):
    """Paths of all values of a form."""
    for key, value in form.items() if isinstance(form, dict) else enumerate(form):
        yield (*path, key)
        if isinstance(value, dict | list):
            yield from places(value, (*path, key))


@st.composite
def changed(draw, form):
    form = copy.deepcopy(form)
    for _ in range(draw(st.integers(1, 2))):
        *path, last = draw(st.sampled_from(sorted(places(form), key=str)))
        holder = form
        for key in path:
            holder = holder[key]
        change = draw(st.sampled_from(["set", "set", "set", "remove", "add", "repeat"]))
        if change == "set":
            holder[last] = draw(STRANGE)
        elif change == "remove":
            del holder[last]
        elif isinstance(holder, list):
            holder.insert(0, holder[last] if change == "repeat" else draw(STRANGE))
        else:
            holder[draw(st.text(max_size=3))] = holder[last]
    return form


def finite(value):
    if isinstance(value, dict | list):
        return all(map(finite, value.values() if isinstance(value, dict) else value))
    return not isinstance(value, float) or math.isfinite(value)


@pytest.mark.parametrize("write", [json.dumps, yaml.safe_dump], ids=["json", "yaml"])
@settings(max_examples=150, deadline=None)
@given(form=changed(OURS) | changed(NNIS))
def test_a_changed_file_is_a_space_or_a_sentence(write, form):
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / ("s.json" if write is json.dumps else "s.yaml")
        file.write_text(write(form))
        space, said = outcome(file)
    if space is None:
        assert said.startswith(f"search space {file}")
        assert said.isprintable()
        return
    assert finite(form)
    for point in drawing.draw(space):
        configuration = configspace.plain(point)
        assert json.loads(json.dumps(configuration, allow_nan=False)) == configuration


def outcome(file):
    try:
        return loading.load(str(file)), ""
    except SpaceError as error:
        return None, str(error)


@pytest.mark.parametrize("form", [OURS, NNIS], ids=["ours", "nnis"])
def test_the_unchanged_files_are_spaces(tmp_path, form):
    (tmp_path / "s.json").write_text(json.dumps(form))
    assert len(loading.load(str(tmp_path / "s.json"))) >= len(NNIS)
