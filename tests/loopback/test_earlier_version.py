"""Run directories that an earlier version left, gone on with and reported by the real commands.

``tests/fixtures/README.md`` tells how they were made.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.audit import audit
from helpers.cluster import checkpoints
from helpers.commands import TESTS, run

from bohb_seg.search.events import Evaluate, Evaluated, Settled
from bohb_seg.storage import journal
from bohb_seg.storage.journal_entries import RunResumed

pytestmark = [pytest.mark.loopback, pytest.mark.training]

EARLIER = TESTS / "fixtures/3d717ab"
FINISHED = "segmentation-finished"
FIGURES_SINCE = {"class_differences.png", "paired_seeds.png"}


def copied(name: str, folder: Path) -> Path:
    return shutil.copytree(EARLIER / name, folder / name)


def resume(run_dir: Path, *flags: object) -> None:
    """Goes on with a run to its end; leases are short, because its workers are gone."""
    here = ("--port", 0, "--heartbeat", 1, "--cache-dir", run_dir.parent / "cache")
    words = ("bohb_seg.commands.master", "--resume", "--run-dir", run_dir.name, *here, *flags)
    done = run(*words, folder=run_dir.parent)
    assert done.returncode == 0, done.stderr


def past_and_new(run_dir: Path) -> tuple[list[object], list[object]]:
    """Events of the earlier version, which are kept to the byte, and those that followed."""
    past = (EARLIER / run_dir.name / "events.jsonl").read_bytes()
    assert (run_dir / "events.jsonl").read_bytes().startswith(past)
    events = [entry.event for entry in journal.read(run_dir / "events.jsonl")]
    return events[: past.count(b"\n")], events[past.count(b"\n") :]


def epochs_kept(name: str) -> dict[tuple[int, ...], int]:
    """Epochs of each checkpoint, from its name: ``epoch-00003.npz``, toy: ``unit-00003``."""
    found = checkpoints(EARLIER / name)
    return {trial: int(re.findall(r"\d+", files[-1])[0]) for trial, files in found.items()}


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(
    ("name", "flags", "live"),
    [("toy-killed", (), 4), ("segmentation-killed", ("--preset", "seed"), 3)],
)
def test_a_killed_run_goes_on(tmp_path, name, flags, live):
    run_dir = copied(name, tmp_path)
    resume(run_dir, "--local-workers", 1, *flags)
    past, new = past_and_new(run_dir)
    settled = {event.evaluation for event in past if isinstance(event, Settled)}
    ordered = {event.evaluation for event in past if isinstance(event, Evaluate)}
    ordered_since = {event.evaluation for event in new if isinstance(event, Evaluate)}
    assert len(settled) >= 10
    assert not settled & ordered_since, "trained although it was settled"
    running = ordered - settled
    assert running
    assert running <= ordered_since

    results = [event for event in new if isinstance(event, Evaluated)]
    assert {event.outcome for event in results} == {"finished"}
    first = {event.evaluation.trial: event for event in reversed(results)}
    kept = epochs_kept(name)
    assert len(kept) == live
    went_on = {trial: first[trial].info["continued_from"] for trial in kept if trial in first}
    assert went_on == {trial: kept[trial] for trial in went_on}
    assert {evaluation.trial for evaluation in running} <= went_on.keys()
    audit(run_dir)
    assert "Verdict" in (run_dir / "report/report.html").read_text()


def test_a_finished_run_is_reported(tmp_path):
    run_dir = copied(FINISHED, tmp_path)
    command = [Path(sys.executable).with_name("bohb-report"), FINISHED]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == f"{FINISHED}/report/report.html"
    earlier = [Path(line) for line in (run_dir / "report-files.txt").read_text().splitlines()]
    figures = {path.name for path in earlier if path.suffix == ".png"} | FIGURES_SINCE
    tables = [path.name for path in earlier if path.suffix == ".csv"]
    assert set(names_in(run_dir / "report/figures")) == figures
    assert len(names_in(run_dir / "report/tables")) == len(tables) + 1
    html = (run_dir / "report/report.html").read_text()
    assert html.count("<img ") == len(figures)
    sections = re.findall(r'<section id="([^"]+)">', html)
    assert len(sections) == 22
    assert {"verdict", "confusion", "best-patches", "runoff", "incumbent", "cost"} <= {*sections}
    assert html.count('class="empty"') == 1, "too few losses to speak of single hyperparameters"


def test_a_finished_run_has_nothing_left_to_do(tmp_path):
    run_dir = copied(FINISHED, tmp_path)
    resume(run_dir, "--local-workers", 0, "--objective", "seed", "--space", "seed-hyperband")
    _, new = past_and_new(run_dir)
    assert new == [RunResumed()]
    audit(run_dir)
