"""Flags and spaces that say more than anyone meant: the real commands answer in a sentence."""

import json

import pytest
from helpers.commands import PROGRAMS, TOY, only_sentence, refused, run

pytestmark = pytest.mark.loopback

WORKER = """
from hpbandster.core.worker import Worker


class Mine(Worker):
    def compute(self, config_id, config, budget, working_directory):
        return {{"loss": {loss}, "info": {{}}}}
"""
RUN = ("--no-comparison", "--port", 0, "--local-workers", 1, "--n-iterations", 1, "--max-budget", 9)


def test_as_many_brackets_as_fit_into_the_time(tmp_path):
    """A million brackets were counted for 18 s before anything began, these for five hours."""
    flags = (*TOY, "--port", 0, "--n-iterations", 10**9, "--max-hours", 0.0005, "--run-dir", "run")
    done = run("bohb_seg.commands.master", *flags, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "--max-hours is over" in (tmp_path / "run/events.jsonl").read_text()


def test_a_space_of_which_hardly_anything_is_legal(tmp_path):
    flags = ("--worker", "toy", "--space", PROGRAMS / "hopeless_space.py", *RUN)
    done = run("bohb_seg.commands.master", *flags, "--run-dir", "run", folder=tmp_path)
    assert "hardly any of 500,000" in only_sentence(done.returncode, done.stderr)
    assert not (tmp_path / "run").exists()


def test_steps_are_drawn_and_their_losses_are_not_another_workers(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    steps = {"name": "x0", "type": "uniform_float", "lower": 0, "upper": 1, "q": 0.25}
    (tmp_path / "space.json").write_text(json.dumps({"hyperparameters": [steps]}))
    for name, loss in (("a", "1 - config['x0']"), ("b", "1000 * config['x0']")):
        (tmp_path / f"{name}.py").write_text(WORKER.format(loss=loss))
    flags = ("--space", "space.json", "--min-budget", 1, *RUN)
    first = ("--worker", "a.py:Mine", *flags, "--run-dir", "a")
    done = run("bohb_seg.commands.master", *first, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = map(json.loads, (tmp_path / "a/configs.json").read_text().splitlines())
    drawn = {configuration["x0"] for _, configuration, _ in lines}
    assert len(drawn) > 2
    assert drawn <= {0.0, 0.25, 0.5, 0.75, 1.0}
    second = ("--worker", "b.py:Mine", *flags, "--run-dir", "b", "--warm-start", "a")
    sentence = refused("bohb_seg.commands.master", *second)
    assert "--warm-start a: it had another worker" in sentence
    assert not (tmp_path / "b").exists()


def test_budgets_of_less_than_an_epoch(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    flags = ("--min-budget", 0.1, "--max-budget", 1, "--port", 0)
    assert "0.111111 epochs" in refused("bohb_seg.commands.master", *flags)
    assert not (tmp_path / "results").exists()
