"""A run that was finished grows: more seeds, more brackets, and its master killed in between."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from helpers.audit import audit
from helpers.commands import PROGRAMS, processes, refused, run, wait_until

from bohb_seg.search.events import Evaluate, Evaluated, Finish, IncumbentChosen, PlanChanged
from bohb_seg.storage import journal
from bohb_seg.trials import COMPARISON_BRACKET

pytestmark = pytest.mark.loopback

MASTER = "bohb_seg.commands.master"
TOY = ("--worker", "toy", "--space", PROGRAMS / "slow_space.py", "--heartbeat", 1)
AGAIN = ("--resume", "--run-dir", "run", "--port", 0)


def events(run_dir: Path, kind: type | tuple[type, ...]) -> Sequence[object]:
    file = run_dir / "events.jsonl"
    entries = journal.read(file) if file.exists() else []
    return [entry.event for entry in entries if isinstance(entry.event, kind)]


def test_a_finished_run_grows_and_outlives_its_master(tmp_path):
    its = tmp_path / "run"
    flags = (
        *(*TOY, "--n-iterations", 1, "--min-budget", 1, "--max-budget", 3, "--local-workers", 2),
        *("--final-seeds", 1, "--final-delta", 0, "--final-candidates", 1, "--seed", 3),
    )
    done = run(MASTER, *flags, "--port", 0, "--run-dir", "run", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    before = len(events(its, Evaluated))

    with processes(tmp_path) as started:
        master = started.start(MASTER, *AGAIN, "--final-seeds", 3)
        wait_until(lambda: len(events(its, Evaluated)) > before)
        master.kill()
        master.wait()
    assert len(events(its, PlanChanged)) == len(events(its, Finish)) == 1
    fewer = refused(MASTER, "--resume", "--run-dir", its, "--final-seeds", 2)
    assert "--final-seeds 2 is less than the 3 that the run has already" in fewer
    done = run(MASTER, *AGAIN, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    compared = [e for e in events(its, Evaluate) if e.evaluation.trial.bracket < 0]
    assert {e.evaluation.trial.number for e in compared} == {0, 1, 2}
    assert all(e.evaluation.trial.bracket == COMPARISON_BRACKET for e in compared)
    assert len(events(its, Finish)) == 2

    page = its / "report/report.html"
    page.unlink()
    done = run(MASTER, *AGAIN, "--n-iterations", 2, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "--n-iterations 2 instead of 1" in done.stderr
    assert page.exists()
    audit(its)  # both brackets are whole, and the journal replays to the end it has
    assert events(its, IncumbentChosen)[-1].arm in (0, 1, 2)
    nothing = run(MASTER, *AGAIN, folder=tmp_path)
    assert nothing.returncode == 0, nothing.stderr
    assert len(events(its, Finish)) == 3


def test_growth_that_a_limit_of_the_run_forbids_is_told(tmp_path):
    flags = (
        *("--worker", "toy", "--space", "counting", "--heartbeat", 1, "--local-workers", 1),
        *("--n-iterations", 1, "--min-budget", 1, "--max-budget", 1, "--no-comparison"),
        *("--target-loss", 1, "--port", 0, "--run-dir", "run"),
    )
    done = run(MASTER, *flags, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "adds nothing" not in done.stderr
    done = run(MASTER, *AGAIN, "--n-iterations", 2, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "--n-iterations 2 adds nothing" in done.stderr
    assert "the target loss 1 is reached" in done.stderr
    done = run(MASTER, *AGAIN, "--final-seeds", 40, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "nothing is trained for that" in done.stderr
