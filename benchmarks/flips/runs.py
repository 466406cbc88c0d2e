"""Small real runs: one that is finished, one that is killed, and one whose journal is lost."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from bohb_seg.datasets import synthetic
from bohb_seg.search.events import Evaluate
from bohb_seg.storage import journal
from bohb_seg.storage.journal_entries import Entry

PATIENCE = 600.0
"""Seconds until a run must have come to where it is killed."""
SEARCH = (
    *("--n-iterations", "1", "--min-budget", "1", "--max-budget", "3", "--seed", "1"),
    *("--port", "0"),
)
TRAINING = (
    *("--data", "data", "--patch-size", "32", "--space", "quick"),
    *("--final-epochs", "2", "--final-seeds", "2", "--final-candidates", "1"),
)
TOY = ("--worker", "toy", "--no-comparison", "--space", "space.json")
SPACE = (
    '{"x": {"_type": "uniform", "_value": [0, 1]},'
    ' "sleep": {"_type": "choice", "_value": [0.1, 0.2]}}\n'
)
"""Space of the toy; because it has a ``sleep``, the toy leaves checkpoints."""


def flags(toy: bool) -> tuple[str, ...]:
    """Flags of both runs, and of all that are to be compared with them."""
    return (*SEARCH, *(TOY if toy else TRAINING))


def finished(folder: Path, toy: bool) -> Path:
    """A run that is searched, compared unless it is the toy's, and reported."""
    run = folder / "finished"
    if not run.exists():
        _prepare(folder)
        subprocess.run(_master(run, toy), cwd=folder, check=True, stderr=subprocess.DEVNULL)
    return run


def log_alone(run: Path) -> Path:
    """HpBandSter's live log of a run, whose journal is lost."""
    alone = run.with_name("log alone")
    alone.mkdir(exist_ok=True)
    for name in ("configs.json", "results.json"):
        shutil.copy(run / name, alone / name)
    return alone


def killed(folder: Path, toy: bool) -> Path:
    """A run that is killed, with its worker, while its first promoted trial is trained."""
    run = folder / "killed"
    if not run.exists():
        _prepare(folder)
        master = subprocess.Popen(
            _master(run, toy), cwd=folder, stderr=subprocess.DEVNULL, start_new_session=True
        )
        try:
            _wait(run / journal.FILE_NAME, master)
        finally:
            os.killpg(master.pid, signal.SIGKILL)
            master.wait()
    return run


def _prepare(folder: Path) -> None:
    if not (folder / "data").exists():
        synthetic.make(folder / "data", tiles=4, height=64, width=64)
        (folder / "space.json").write_text(SPACE)


def _master(run: Path, toy: bool) -> list[str]:
    here = ("--local-workers", "1", "--cache-dir", "cache", "--run-dir", run.name)
    return [sys.executable, "-m", "bohb_seg.commands.master", *flags(toy), *here]


def _wait(file: Path, master: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + PATIENCE
    while not (file.exists() and any(map(_is_promoted, journal.read(file)))):
        if master.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{file} promotes nobody")
        time.sleep(0.02)


def _is_promoted(entry: Entry) -> bool:
    return isinstance(entry.event, Evaluate) and entry.event.evaluation.budget > 1
