"""Whatever file people have at hand is read, or refused in one sentence."""

import json
import pickle

import pytest
from helpers.commands import ROOT

from bohb_seg.errors import BohbSegError
from bohb_seg.plugins import file_of, hyperparameters
from bohb_seg.plugins.completion import completed
from bohb_seg.storage import recipe_files

OLD_RUN = ROOT / "tests/fixtures/3d717ab/segmentation-finished"
INCUMBENT = {"activation": "none", "batch_size": 4, "learning_rate": 0.0020547625126}


def values(path):
    return [recipe.values for recipe in recipe_files.read("--recipe", path)]


def refusal(path, read=recipe_files.read):
    with pytest.raises(BohbSegError) as error:
        read("--recipe", path)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    "text",
    [
        "learning_rate: 1e-3\nnorm: batch\n",
        '{"learning_rate": 0.001, "norm": "batch"}',
        "configuration: {learning_rate: 0.001, norm: batch}\nloss: 0.5\n",  # ours
        "config: {learning_rate: 0.001, norm: batch}\nconfig_info: {}\n",  # HpBandSter's
        "parameter_id: 0\nparameters: {learning_rate: 0.001, norm: batch}\n",  # NNI's
        "- learning_rate: 0.001\n  norm: batch\n",
    ],
)
@pytest.mark.parametrize("name", ["mine.yaml", "mine.yml", "mine"])
def test_a_table_is_found_wherever_it_stands(tmp_path, text, name):
    (tmp_path / name).write_text(text)
    assert values(tmp_path / name) == [{"learning_rate": 0.001, "norm": "batch"}]


def test_several_configurations_are_recipes_but_no_baseline(tmp_path):
    file = tmp_path / "mine.json"
    file.write_text(json.dumps([{"norm": "batch"}, {"configuration": {"norm": "none"}}]))
    assert values(file) == [{"norm": "batch"}, {"norm": "none"}]
    assert refusal(file, recipe_files.read_one) == (
        f"--recipe {file} holds 2 configurations; give a file with one of them"
    )


@pytest.mark.parametrize(
    "place",
    ["", "incumbent.json", "events.jsonl", "configs.json", "results.pkl", "settings.yaml"],
)
def test_a_run_of_an_earlier_version_and_its_files_mean_its_incumbent(place):
    assert values(OLD_RUN / place) == [INCUMBENT]


def test_a_run_without_an_incumbent_has_its_best_evaluation(tmp_path):
    """HpBandSter's own files have none."""
    configs = [[[0, 0, number], {"norm": str(number)}, {}] for number in range(3)]
    results = [
        [[0, 0, 0], 9.0, {}, {"loss": 0.5, "info": {}}, None],
        [[0, 0, 1], 3.0, {}, {"loss": 0.1, "info": {}}, None],
        [[0, 0, 2], 9.0, {}, {"loss": 0.4, "info": {}}, None],
    ]
    for name, lines in (("configs", configs), ("results", results)):
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (tmp_path / f"{name}.json").write_text(text)
    assert values(tmp_path) == [{"norm": "2"}] == values(tmp_path / "configs.json")


def test_a_recipe_of_the_package_is_found_by_its_name_unless_there_is_such_a_file(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    name = recipe_files.Path("milestone3")
    (found,) = values(name)
    assert (found["batch_size"], found["learning_rate"]) == (16, 0.007)
    name.write_text("norm: batch\n")
    assert values(name) == [{"norm": "batch"}]


def test_the_recipe_of_the_reports_is_what_training_takes_that_is_told_nothing_but_the_rate():
    (found,) = values(recipe_files.Path("milestone3"))
    unet = hyperparameters.of_model(file_of("models", "unet"))
    untold = completed({"learning_rate": 0.007}, unet, "milestone3")
    assert completed(found, unet) == untold == {**untold, **found}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "holds no table of hyperparameters; write one 'name: value' a line"),
        (b"[]", "holds no table of hyperparameters; write one 'name: value' a line"),
        (b"{}", "holds no table of hyperparameters; write one 'name: value' a line"),
        (b"fast", "holds no table of hyperparameters; write one 'name: value' a line"),
        (b"rate: [1, 2]", ": rate is [1, 2], which is no value of a hyperparameter; write"),
        (b"rate: .nan", ": rate is nan, which is no value of a hyperparameter; write"),
        (b"1: 2", ": the name 1 is no text"),
        (b"rate: 1\nrate: 2", "is broken: line 1: 'rate' stands 2 times in one table;"),
        (b"norm: no", "is broken: line 1: 'no' would be taken for a value of type bool;"),
        (b"rate: {", "is broken: while parsing a flow node"),
        (b"[" * 100_000, "is broken: "),
        (pickle.dumps({"rate": 1}), "is broken: "),
    ],
)
def test_what_is_no_recipe_is_refused_in_one_sentence(tmp_path, content, sentence):
    file = tmp_path / "mine.yaml"
    file.write_bytes(content)
    said = refusal(file)
    assert said.startswith(f"--recipe {file}")
    assert said.removeprefix(f"--recipe {file}").lstrip().startswith(sentence)


def test_what_is_not_there_is_refused_with_the_names_that_there_are(tmp_path):
    path = tmp_path / "gone"
    assert refusal(path) == (
        f"--recipe {path}: there is no such file, and no recipe of this name; there are: milestone3"
    )
    assert refusal(tmp_path).startswith(f"--recipe {tmp_path}: it holds no run, ")
