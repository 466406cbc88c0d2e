"""``--hours`` and ``--plan``, through the real commands."""

import json
import re
import time

import pytest
from helpers.audit import audit
from helpers.cluster import SPACE
from helpers.commands import PROGRAMS, free_port, processes, run, wait_until

from bohb_seg.search.events import Evaluated, PlanChanged
from bohb_seg.storage import journal
from bohb_seg.trials import COMPARISON_BRACKET, MEASURING_BRACKET

pytestmark = pytest.mark.loopback

MASTER = "bohb_seg.commands.master"
PLAN = re.compile(r"\d workers?, [\d.e-]+ s an epoch: \d+ brackets? of 1?\d\.\.\d+, .+: \d+ s\n")


def flags(folder, sleep=0.05, program="toy"):
    space = folder / "space.py"
    space.write_text(SPACE.format(sleep=sleep))
    common = ("--worker", program, "--space", space, "--heartbeat", 1, "--port", 0)
    return (*common, "--local-workers", 1, "--run-id", "run", "--run-dir", "run")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run of 36 seconds that was killed once, and how long it took with the time between."""
    folder = tmp_path_factory.mktemp("hours")
    events, given = folder / "run/events.jsonl", flags(folder, 0.05, PROGRAMS / "tells_budget.py")
    began = time.monotonic()
    with processes(folder) as started:
        master = started.start(MASTER, *given, "--hours", 0.01)
        wait_until(lambda: events.exists() and len(events.read_bytes().splitlines()) > 10)
        master.kill()
        master.wait()
        time.sleep(3)  # is lost, and counts
    again = run(MASTER, "--resume", "--run-dir", "run", "--port", 0, folder=folder)
    assert again.returncode == 0, again.stderr
    return folder, again.stderr, time.monotonic() - began


def test_a_run_that_was_killed_ends_when_it_should_have(finished):
    _, said, seconds = finished
    assert "finished: " in said
    assert 0.5 * 36 < seconds < 1.5 * 36  # beside other work on a few processors


def test_its_journal_replays_and_has_no_measurement(finished):
    folder, *_ = finished
    audit(folder / "run")
    ends = [e.event for e in journal.read(folder / "run/events.jsonl")]
    brackets = {each.evaluation.trial.bracket for each in ends if isinstance(each, Evaluated)}
    assert MEASURING_BRACKET not in brackets
    assert {0, COMPARISON_BRACKET} <= brackets


def test_its_first_entry_has_what_was_chosen_and_measured(finished):
    folder, *_ = finished
    start = journal.read(folder / "run/events.jsonl")[0].event
    size = f"of {start.settings['min_budget']:g}..{start.settings['max_budget']:g}, "
    assert size in start.deadline["plan"]
    assert start.settings["final_epochs"] == start.settings["max_budget"]
    assert start.deadline["given"]["max_budget"] is None
    ((epoch, _),) = start.deadline["paces"].values()
    assert 0.05 <= epoch < 1


def test_each_job_brings_the_budget_that_was_chosen_after_its_worker_joined(finished):
    folder, *_ = finished
    first, *entries = journal.read(folder / "run/events.jsonl")
    told = {e.event.info["most"] for e in entries if isinstance(e.event, Evaluated)}
    assert told == {first.event.settings["max_budget"]}


def test_each_correction_says_the_plan(finished):
    folder, *_ = finished
    events = [entry.event for entry in journal.read(folder / "run/events.jsonl")]
    for news in (each for each in events if isinstance(each, PlanChanged)):
        assert news.reason.startswith("1 worker, ")
        assert f"{news.plan.n_iterations} bracket" in news.reason


def test_it_cannot_grow_after_its_time(finished):
    folder, *_ = finished
    before = (folder / "run/events.jsonl").read_bytes()
    more = ("--hours", 0.001, "--final-seeds", 40)
    done = run(MASTER, "--resume", "--run-dir", "run", "--port", 0, *more, folder=folder)
    assert done.returncode == 2
    assert "--hours 0.001 since the run began is over, so it cannot grow" in done.stderr
    assert (folder / "run/events.jsonl").read_bytes() == before


def test_a_plan_is_shown_and_nothing_stays(tmp_path):
    (tmp_path / "run").mkdir()
    done = run(MASTER, *flags(tmp_path), "--plan", "--hours", 0.02, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert PLAN.fullmatch(done.stdout), done.stdout
    left = {path.name for path in (tmp_path / "run").rglob("*")}
    assert left <= {"logs", "worker-0.log"}


def test_without_hours_a_plan_is_what_the_flags_amount_to(tmp_path):
    given = ("--n-iterations", 2, "--max-budget", 9, "--no-comparison")
    done = run(MASTER, *flags(tmp_path), *given, "--plan", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert re.search(r"s an epoch: 2 brackets of 2\.\.9: \d+ s\n", done.stdout), done.stdout
    assert not (tmp_path / "run").exists()


def test_too_little_time_is_refused_with_what_would_do(tmp_path):
    given = (*flags(tmp_path, sleep=1.0), "--max-budget", 81)
    done = run(MASTER, *given, "--hours", 0.02, folder=tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert re.search(r"has no room: .+ which needs --hours [\d.]+; or ", done.stderr)
    assert not (tmp_path / "run").exists()


def test_a_master_that_is_killed_while_it_measures_hinders_no_other(tmp_path):
    given = (*flags(tmp_path, sleep=1.5), "--hours", 0.05)
    with processes(tmp_path) as started:
        master = started.start(MASTER, *given)
        wait_until(lambda: list((tmp_path / "run/checkpoints").glob(f"{MEASURING_BRACKET}-*/*")))
        master.kill()
        master.wait()
    assert not (tmp_path / "run/events.jsonl").read_bytes()
    done = run(MASTER, *flags(tmp_path), "--plan", "--hours", 0.02, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert PLAN.fullmatch(done.stdout)


def test_a_worker_that_joins_from_elsewhere_is_measured_too(tmp_path):
    port = free_port()
    plain = [each for each in flags(tmp_path, sleep=0.3) if each not in ("--port", 0)]
    with processes(tmp_path) as started:
        worker = ("--port", port, "--run-id", "run", "--worker", "toy", "--idle-timeout", 60)
        started.start("bohb_seg.commands.worker", *worker)
        shown = ("--plan", "--port", port, "--min-workers", 2)
        done = run(MASTER, *plain, *shown, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("2 workers, "), done.stdout


def test_a_plan_is_of_a_new_run(tmp_path):
    done = run(MASTER, "--plan", "--resume", "--run-dir", "run", folder=tmp_path)
    assert done.returncode == 2
    assert "--plan shows what a new run would do" in done.stderr
    assert json.dumps(done.stderr).count("bohb-master") == 1


def test_a_comparison_is_wanted_or_not(tmp_path):
    done = run(MASTER, "--no-comparison", "--final-folds", 4, folder=tmp_path)
    assert done.returncode == 2
    assert "--no-comparison leaves out runoff and comparison, which --final-folds is" in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_default_that_cannot_be_trained_is_told_and_the_logs_stay(tmp_path):
    program = tmp_path / "fails.py"
    program.write_text(
        "from hpbandster.core.worker import Worker\n"
        "NEEDS_DATA = False\n"
        "class Fails(Worker):\n"
        "    def compute(self, *_, **__):\n"
        "        raise ValueError('no such layer')\n"
    )
    done = run(MASTER, *flags(tmp_path, program=program), "--hours", 1, folder=tmp_path)
    assert done.returncode == 2
    assert "so nothing is measured: ValueError: no such layer" in done.stderr
    assert (tmp_path / "run/logs/worker-0.log").exists()
