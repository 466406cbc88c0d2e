"""Whole runs that really train, through the real commands."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.commands import free_port, processes, run

from bohb_seg.datasets import synthetic
from bohb_seg.search.events import Evaluated
from bohb_seg.storage import journal

pytestmark = [pytest.mark.loopback, pytest.mark.training]

LOADS_IN_PLAIN_KERAS = """
import sys
sys.modules["bohb_seg"] = None
import keras, numpy as np
model = keras.models.load_model(sys.argv[1])
scores = model.predict(np.zeros((1, 32, 32, 3), np.uint8), verbose=0)
print(scores.shape, float(abs(scores.sum(-1) - 1).max()) < 1e-3)
"""


@pytest.fixture
def data(tmp_path) -> Path:
    place = tmp_path / "data"
    synthetic.make(place, tiles=4, height=64, width=64)
    return place


def test_search_comparison_and_report(tmp_path, data):
    flags = (
        *(
            "--data",
            data,
            "--patch-size",
            32,
            "--space",
            "milestone3-hyperband",
            "--n-iterations",
            1,
        ),
        *("--min-budget", 1, "--max-budget", 3, "--final-epochs", 2, "--final-seeds", 2),
        *("--local-workers", 1, "--port", 0, "--run-dir", "run", "--baseline", "milestone3"),
    )
    done = run("bohb_seg.commands.master", *flags, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "--baseline milestone3 lies outside the search space (scaling is 'patch'" in done.stderr
    run_dir = tmp_path / "run"
    entries = journal.read(run_dir / "events.jsonl")
    ended = [entry.event for entry in entries if isinstance(entry.event, Evaluated)]
    assert [event.evaluation.trial.bracket for event in ended].count(-1) in (2, 4)
    (promoted,) = (event for event in ended if event.evaluation.budget == 3)
    assert (promoted.info["continued_from"], promoted.info["epochs_trained"]) == (1, 2)
    assert not list((run_dir / "checkpoints").glob("*-*"))
    page = (run_dir / "report/report.html").read_text()
    assert "Verdict" in page
    assert "The baseline is milestone3; it lies outside the search space" in page
    assert "best-predicted patches" in page
    loaded = subprocess.run(
        [sys.executable, "-c", LOADS_IN_PLAIN_KERAS, run_dir / "model.keras"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert loaded.stdout.strip() == "(1, 32, 32, 5) True"


def test_our_worker_serves_a_stock_master(tmp_path, data):
    port = free_port()
    with processes(tmp_path) as started:
        master = started.start(
            "helpers.programs.stock", "master", "theirs", "127.0.0.1", port, 1, 3
        )
        worker = started.start(
            *("bohb_seg.commands.worker", "--port", port, "--run-id", "theirs"),
            *("--data", data, "--patch-size", 32, "--max-budget", 3),
        )
        printed = started.finish(master, timeout=150)
        started.finish(worker)
    losses = json.loads(printed.splitlines()[-1])
    assert sorted(budget for budget, _ in losses) == [1.0, 1.0, 1.0, 3.0]
    assert all(0 < loss < 3 for _, loss in losses)
