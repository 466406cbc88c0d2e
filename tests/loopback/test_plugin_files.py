"""Adding one thing is adding one file, anywhere: the real commands with throw-away files."""

import json

import pytest
from helpers.commands import free_port, only_sentence, processes, run, wait_until

from bohb_seg.datasets import synthetic
from bohb_seg.search.events import Evaluated
from bohb_seg.storage import journal
from bohb_seg.storage.journal_entries import RunStarted

pytestmark = [pytest.mark.loopback, pytest.mark.training]

MODEL = """
import keras
from keras import layers

HYPERPARAMETERS = {"width": {"default": 3, "range": (1, 9)}}
HALVINGS = 0

def build(hyperparameters, *, classes, precision, seed, dropout):
    images = keras.Input((None, None, 3))
    x = layers.Rescaling(1 / 255)(images)
    x = layers.Conv2D(hyperparameters["width"], 3, padding="same", dtype=precision)(x)
    x = layers.Conv2D(classes, 1, dtype=precision)(x)
    return keras.Model(images, layers.Softmax(dtype="float32")(x))
"""
DATASET = """
import dataclasses
from bohb_seg import plugins

def load(settings):
    found = plugins.call("datasets", "folder", settings)
    kept = tuple(pair for pair in found.pairs if pair.group != "Tile 1")
    return dataclasses.replace(found, pairs=kept)
"""
SPACE = """
from ConfigSpace import ConfigurationSpace, Constant, Integer

def space(facts):
    width = Integer("width", (1, 9), default=facts.classes)
    return ConfigurationSpace(space=[width, Constant("batch_size", facts.patches)])
"""
OPTIMIZER = """
from bohb_seg.search.hyperband import Rung
from bohb_seg.trials import Suggestion

class Always:
    def __init__(self, space):
        self._batch = space["batch_size"].default_value
    def rungs(self, bracket):
        return (Rung(1.0, 2),)
    def suggest(self):
        return Suggestion({"width": 7, "batch_size": self._batch}, model_based=True)
    def observe(self, configuration, budget, loss):
        pass

def build(space, ladder, seed):
    return Always(space)
"""
WORKER = """
from hpbandster.core.worker import Worker

class Other(Worker):
    pass

class Mine(Worker):
    def compute(self, config_id, config, budget, working_directory):
        return {"loss": 1 / budget + len(config["colour"]), "info": {}}
"""
COLOURS = {"colour": {"_type": "choice", "_value": ["red", "green"]}}
CLASSES = 5


def parameters(width):
    return 3 * 3 * 3 * width + width + width * CLASSES + CLASSES


@pytest.fixture
def scenes(tmp_path):
    place = tmp_path / "scenes"
    synthetic.make(place, tiles=5, seed=1, height=32, width=32)
    return place


def write(folder, **files):
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)


def events(run_dir, kind):
    entries = journal.read(run_dir / "events.jsonl")
    return [entry.event for entry in entries if isinstance(entry.event, kind)]


def test_a_model_a_data_set_a_space_and_an_optimizer(tmp_path, scenes):
    write(tmp_path, net=MODEL, pictures=DATASET, space=SPACE, always=OPTIMIZER)
    flags = (
        *("--model", "net.py", "--data", "pictures.py:scenes", "--space", "space.py"),
        *("--optimizer", "always.py", "--patch-size", 20, "--n-iterations", 1),
        *("--min-budget", 1, "--max-budget", 1, "--final-epochs", 1, "--final-seeds", 1),
        *("--final-candidates", 1, "--local-workers", 1, "--port", 0, "--run-dir", "run"),
    )
    done = run("bohb_seg.commands.master", *flags, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    (start,) = events(tmp_path / "run", RunStarted)
    # The data set: four of five tiles. The space: five classes, all patches in one batch.
    assert start.data["images"] == 8
    batch = start.data["patches"]["train"]
    assert start.default == {"width": CLASSES, "batch_size": batch}
    # The optimizer: its own bracket and suggestion. The model: its own number of weights.
    found = [(e.evaluation.trial.bracket, e.info["parameters"]) for e in evaluated(tmp_path)]
    assert found[:2] == [(0, parameters(CLASSES)), (0, parameters(7))]
    assert {bracket for bracket, _ in found} == {0, -1}
    assert (tmp_path / "run/model.keras").is_file()
    assert (tmp_path / "run/report/report.html").is_file()


def evaluated(folder):
    return events(folder / "run", Evaluated)


def test_a_worker_with_a_space_in_another_format(tmp_path):
    write(tmp_path, own=WORKER)
    (tmp_path / "space.json").write_text(json.dumps(COLOURS))
    flags = (
        *("--worker", "own.py:Mine", "--space", "space.json", "--no-comparison"),
        *("--n-iterations", 1, "--local-workers", 1, "--port", 0, "--run-dir", "run"),
    )
    done = run("bohb_seg.commands.master", *flags, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    (start,) = events(tmp_path / "run", RunStarted)
    assert start.data == {}
    letters = {news.loss - 1 / news.evaluation.budget for news in evaluated(tmp_path)}
    assert {round(count) for count in letters} == {len("red"), len("green")}


def test_a_worker_without_the_masters_model_says_so(tmp_path, scenes):
    there, port = tmp_path / "there", free_port()
    write(there)
    write(tmp_path, net=MODEL)
    join = ("bohb_seg.commands.worker", "--port", port, "--run-id", "far")
    flags = (
        *("--model", "net.py", "--data", scenes, "--patch-size", 16, "--space", "space.py"),
        *("--no-comparison", "--local-workers", 0, "--port", port, "--run-id", "far"),
    )
    write(tmp_path, space=SPACE)
    with processes(tmp_path) as started:
        master = started.start("bohb_seg.commands.master", *flags)
        lacks = run(*join, folder=there)
        write(there, net=MODEL + "# another one\n")
        differs = run(*join, folder=there)
        assert "its --model file" in started.log(master)
        write(there, net=MODEL)
        with processes(there) as joined:
            joined.start(*join)
            wait_until(lambda: " joined" in started.log(master))
    assert only_sentence(lacks.returncode, lacks.stderr).endswith(
        f"this machine cannot serve the run: --model net.py: there is no file {there}/net.py;"
        " check the path, or copy it from the master's machine"
    )
    sentence = only_sentence(differs.returncode, differs.stderr)
    assert "its --model file" in sentence
    assert "is not the run's" in sentence
