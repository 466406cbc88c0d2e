"""What a model file states, and what the master refuses by it before any data are read."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bohb_seg import plugins
from bohb_seg.errors import SettingsError
from bohb_seg.plugins import hyperparameters
from bohb_seg.plugins.hyperparameters import TRAINING, Hyperparameter

MODEL = """
import no_such_framework

HYPERPARAMETERS = {
    "width": {"default": 16, "range": (8, 64)},
    "levels": {"default": 3, "range": (1, 5)},
    "block": {"default": "plain", "choices": ("plain", "residual")},
    "bias": {"default": True, "choices": (True, False)},
    "kernel": {"default": 3, "choices": (3, 5)},
    "drop_path": {"default": 0.0, "range": (0.0, 0.5), "value": True},
    "slope": {"default": 0.1, "range": (0.0, 1)},
}
HALVINGS = "levels"
PRESETS = {"milestone3": {"block": "residual", "width": 8.0}}
"""


@pytest.fixture
def read(tmp_path):
    def read(text=MODEL):
        file = tmp_path / "my_model.py"
        file.write_text(text)
        return hyperparameters.of_model(file)

    return read


# --- one hyperparameter -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hyperparameter", "values"),
    [
        (Hyperparameter("x", 1, range=(1, 8)), [(1, 1), (8.0, 8)]),
        (Hyperparameter("x", None, range=(0.0, 1)), [(1, 1.0), (0.25, 0.25)]),
        (Hyperparameter("x", "a", choices=("a", "b")), [("b", "b")]),
        (Hyperparameter("x", True, choices=(True, False)), [(True, True), (False, False)]),
        (Hyperparameter("x", 3, choices=(3, 5)), [(5.0, 5)]),
    ],
)
def test_values_get_the_type_that_they_should_have(hyperparameter, values):
    for given_value, expected in values:
        found = hyperparameter.read(given_value)
        assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("hyperparameter", "values", "allowed"),
    [
        (
            Hyperparameter("x", 1, range=(1, 8)),
            [0, 9, 2.5, True, "2", None, float("nan")],
            "a whole number from 1 to 8",
        ),
        (
            Hyperparameter("x", 0.5, range=(0.0, 1.0)),
            [-0.1, 1.1, False, "0", float("inf"), float("nan")],
            "a number from 0 to 1",
        ),
        (Hyperparameter("x", "a", choices=("a", "b")), ["c", 1, None], "one of a, b"),
        (Hyperparameter("x", 1, choices=(0, 1)), [True, False, 2], "one of 0, 1"),
        (Hyperparameter("x", True, choices=(True, False)), [1, 0], "one of True, False"),
    ],
)
def test_other_values_are_refused(hyperparameter, values, allowed):
    for value in values:
        with pytest.raises(ValueError, match=f"but needs {allowed}"):
            hyperparameter.read(value)


@pytest.mark.parametrize(
    "facts",
    [
        {"default": 1},
        {"default": 1, "range": (0, 2), "choices": (1, 2)},
        {"default": 1, "range": (2, 0)},
        {"default": 3, "range": (0, 2)},
        {"default": "c", "choices": ("a", "b")},
        {"default": "a", "choices": ("a", "b"), "is_value": True},
        {"default": 0.5, "range": (0.0, 1.0), "is_value": True},
        {"default": 0.5, "range": (-0.1, 0.9), "is_value": True},
    ],
)
def test_a_hyperparameter_that_contradicts_itself_cannot_be_made(facts):
    with pytest.raises(ValueError, match=r"need|range"):
        Hyperparameter("x", **facts)


@given(low=st.integers(-100, 100), span=st.integers(0, 100), value=st.integers(-300, 300))
def test_exactly_the_numbers_of_a_range_are_allowed(low, span, value):
    hyperparameter = Hyperparameter("x", low, range=(low, low + span))
    if low <= value <= low + span:
        assert hyperparameter.read(value) == value
    else:
        with pytest.raises(ValueError, match="whole number"):
            hyperparameter.read(value)


def test_names_of_training_are_their_own():
    assert [each.name for each in TRAINING.values()] == list(TRAINING)


# --- a model file -----------------------------------------------------------------------------


def test_a_model_is_read_without_its_framework(read):
    model = read()
    assert model.name == "my-model"
    assert model.rates == ("drop_path",)
    assert model.defaults("default") == {
        **{"width": 16, "levels": 3, "block": "plain", "bias": True, "kernel": 3},
        **{"drop_path": 0.0, "slope": 0.1},
    }
    assert model.known.keys() == TRAINING.keys() | model.hyperparameters.keys()


def test_a_preset_may_change_defaults(read):
    model = read()
    assert {**model.defaults("milestone3"), "block": "plain", "width": 16} == model.defaults(
        "other"
    )
    assert type(model.defaults("milestone3")["width"]) is int
    assert model.follows_preset("block")
    assert not model.follows_preset("levels")


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("HALVINGS = 2", "", "states no HYPERPARAMETERS; add a line like"),
        ("HYPERPARAMETERS = {}", "", "states no HALVINGS; add a line like"),
        ("HYPERPARAMETERS = {'x': 3}\nHALVINGS = 2", "1", 'x needs a dictionary with a "default"'),
        (
            "HALVINGS = 2\nHYPERPARAMETERS = {\n 'x': {'default': 1, 'rnage': (0, 1)}}",
            "3",
            "x has 'rnage', but there are only default, range, choices, value",
        ),
        (
            "HALVINGS = 2\nHYPERPARAMETERS = {\n 'x': {'default': 7, 'range': (0, 1)}}",
            "3",
            "x has the value 7 but needs a whole number from 0 to 1",
        ),
        (
            "HALVINGS = 2\nHYPERPARAMETERS = {'x': {'default': 1, 'range': 5}}",
            "2",
            "x has the range 5",
        ),
        (
            "HALVINGS = 2\nHYPERPARAMETERS = {'x': {'default': 1, 'choices': 'ab'}}",
            "2",
            "x has the choices 'ab'",
        ),
        (
            "HALVINGS = 2\nHYPERPARAMETERS = {'x': {'default': 1, 'range': (0, WIDEST)}}",
            "2",
            "x must be written out",
        ),
        (
            "HALVINGS = 2\nHYPERPARAMETERS = {'batch_size': {'default': 1, 'range': (0, 9)}}",
            "2",
            "batch_size is a hyperparameter of training; choose another name",
        ),
        (
            "HALVINGS = 2\nHYPERPARAMETERS = {\n 'x': {'default': 1, 'range': (0, 1)},\n"
            " 'x': {'default': 2, 'range': (0, 2)}}",
            "4",
            "x stands there twice",
        ),
        (
            "HALVINGS = 2\nHYPERPARAMETERS = {'x': {'default': 0.1, 'range': (0.0, 0.5), 'value':"
            " 'false'}}",
            "2",
            "x has the \"value\" 'false', which is neither True nor False",
        ),
        ("HYPERPARAMETERS = {}\nHALVINGS = 'depth'", "2", "HALVINGS is 'depth'"),
        ("HYPERPARAMETERS = {}\nHALVINGS = -1", "2", "HALVINGS is -1"),
        ("HYPERPARAMETERS = {}\nHALVINGS = 2.0", "2", "HALVINGS is 2.0"),
        (
            "HYPERPARAMETERS = {'x': {'default': 0.5, 'range': (0.0, 1)}}\nHALVINGS = 'x'",
            "2",
            "HALVINGS is 'x'",
        ),
        (
            "HYPERPARAMETERS = {}\nHALVINGS = 0\nPRESETS = {'milestone3': {'x': 1}}",
            "3",
            "milestone3 must be a dictionary of hyperparameters of this file",
        ),
        (MODEL.replace('"residual", "width": 8.0', '"dense"'), "14", "preset milestone3 has the"),
    ],
)
def test_a_wrong_statement_is_one_sentence_with_its_line(read, text, line, problem):
    with pytest.raises(SettingsError) as raised:
        read(text)
    place = f"my_model.py, line {line}: " if line else "my_model.py "
    assert place in str(raised.value)
    assert problem in str(raised.value)


# --- what the master refuses ------------------------------------------------------------------


def test_an_unknown_name_lists_the_known_ones(read):
    with pytest.raises(SettingsError, match=r"'base_filters', .*the model my-model.*width"):
        hyperparameters.check_names(["learning_rate", "base_filters"], read())
    hyperparameters.check_names(["learning_rate", "width"], read())


def test_values_are_checked_whole_or_in_part(read):
    model = read()
    hyperparameters.check_values({}, model)
    hyperparameters.check_values({"width": 64, "loss": "ce", "block": "residual"}, model)
    with pytest.raises(SettingsError, match=r"width has the value 65 but needs .* 8 to 64"):
        hyperparameters.check_values({"width": 65}, model)
    with pytest.raises(SettingsError, match="loss has the value 'mse'"):
        hyperparameters.check_values({"loss": "mse"}, model)
    with pytest.raises(SettingsError, match="'depth'"):
        hyperparameters.check_values({"depth": 3}, model)


def test_a_patch_must_be_halved_as_often_as_a_configuration_says(read):
    model = read()
    hyperparameters.check_patch_size(24, model, {})
    hyperparameters.check_patch_size(24, model, {"levels": 2})
    with pytest.raises(SettingsError, match=r"24 cannot be halved 4 times, as levels 4.*of 16 or"):
        hyperparameters.check_patch_size(24, model, {"levels": 4})


def test_a_model_that_always_halves_alike_needs_no_hyperparameter_for_it(read):
    model = read("HYPERPARAMETERS = {}\nHALVINGS = 5")
    hyperparameters.check_patch_size(96, model, {})
    with pytest.raises(SettingsError, match=r"48 cannot be halved 5 times, as the model my-model"):
        hyperparameters.check_patch_size(48, model, {"batch_size": 3})


WITHOUT_KERAS = """
import sys
from pathlib import Path
from bohb_seg.plugins import hyperparameters
for file in sys.argv[1:]:
    hyperparameters.of_model(Path(file))
assert not {"keras", "tensorflow", "jax", "numpy", "bohb_seg.training"} & sys.modules.keys()
"""


def test_reading_models_imports_neither_keras_nor_training():
    files = [plugins.file_of("models", name) for name in plugins.names("models")]
    assert files
    subprocess.run([sys.executable, "-c", WITHOUT_KERAS, *files], check=True)
