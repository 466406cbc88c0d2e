"""A run that was given recipes, killed and gone on with after their files are gone."""

import json
import signal
from pathlib import Path

import pytest
from helpers.commands import PROGRAMS, processes, refused, run, wait_until

from bohb_seg.report.analysis import history
from bohb_seg.search.events import Evaluate
from bohb_seg.storage import journal
from bohb_seg.trials import COMPARISON_BRACKET

pytestmark = pytest.mark.loopback

TOY = ("--worker", "toy", "--space", PROGRAMS / "slow_space.py", "--heartbeat", 1)
MINE, FIRST, SECOND = {"x0": 0.25, "c0": 2}, {"x0": 0.125}, {"x0": 0.75, "c0": 1}
REST = {"c0": 0, "sleep": 0.05}
"""Values of the space for those that a recipe does not name."""


def orders(run_dir: Path) -> list[Evaluate]:
    entries = journal.read(run_dir / "events.jsonl")
    return [entry.event for entry in entries if isinstance(entry.event, Evaluate)]


def test_recipes_are_tried_first_and_outlive_their_files_and_their_master(tmp_path):
    for name, values in (("mine.yaml", MINE), ("two.json", [FIRST, SECOND])):
        (tmp_path / name).write_text(json.dumps(values))
    flags = (
        *(*TOY, "--n-iterations", 1, "--local-workers", 1, "--port", 0, "--run-dir", "run"),
        *("--final-epochs", 3, "--final-seeds", 2, "--final-candidates", 1),
    )
    given = ("--baseline", "mine.yaml", "--recipe", "two.json")
    results = tmp_path / "run/results.json"
    with processes(tmp_path) as started:
        master = started.start("bohb_seg.commands.master", *flags, *given)
        wait_until(lambda: results.is_file() and len(results.read_text().splitlines()) >= 2)
        master.send_signal(signal.SIGKILL)
        assert master.wait(60) == -signal.SIGKILL
    for file in tmp_path.glob("*.*"):
        file.unlink()
    other = refused(
        *("bohb_seg.commands.master", "--resume", "--run-dir", tmp_path / "run"),
        *("--baseline", "other.yaml"),
    )
    assert "--baseline other.yaml contradicts the run" in other
    assert "which has mine.yaml" in other
    again = ("--resume", "--run-dir", "run", "--port", 0)
    done = run("bohb_seg.commands.master", *again, folder=tmp_path)
    assert done.returncode == 0, done.stderr

    found = [order for order in orders(tmp_path / "run") if order.attempt == 1]
    tried = [each.configuration for each in found if each.evaluation.trial[:2] == (0, 0)]
    default, *recipes = tried[:3]
    assert recipes == [{**REST, **FIRST}, {**REST, **SECOND}]
    assert default not in [MINE, *recipes]  # the default of the space: the baseline lies outside
    arms = {e.evaluation.trial.rung: e.configuration for e in found if _is_final(e)}
    assert arms[0] == MINE
    _the_report_says_baseline(tmp_path / "run")


def _is_final(order: Evaluate) -> bool:
    return order.evaluation.trial.bracket == COMPARISON_BRACKET


def _the_report_says_baseline(run_dir: Path) -> None:
    page = (run_dir / "report/report.html").read_text()
    assert "The baseline is mine.yaml; it lies outside the search space" in page
    table = (run_dir / "report/tables/configuration.csv").read_text().splitlines()
    assert table[0] == "hyperparameter,baseline,incumbent"
    assert "default" not in table[0]
    seeds = (run_dir / "report/tables/comparison_seeds.csv").read_text()
    assert "baseline,0,validation," in seeds
    assert history.read(run_dir).reference == "baseline"
