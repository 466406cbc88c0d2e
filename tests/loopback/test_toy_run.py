"""Whole runs of the toy objective through the real commands."""

import json
import shutil
import signal
import sys
from pathlib import Path

import pytest
from helpers.audit import audit
from helpers.commands import PROGRAMS, STOCK, TOY, answers, free_port, processes, run, wait_until

from bohb_seg.search.events import Evaluate, Evaluated, Settled
from bohb_seg.storage import journal

pytestmark = pytest.mark.loopback


def results(run_dir: Path) -> list[list[object]]:
    return [json.loads(line) for line in (run_dir / "results.json").read_text().splitlines()]


def counted(run_dir: Path) -> list[tuple[object, ...]]:
    """(configuration, budget, loss) in the order of the results, without times."""
    lines = (run_dir / "configs.json").read_text().splitlines()
    configs = {tuple(identity): config for identity, config, _ in map(json.loads, lines)}
    return [
        (configs[tuple(trial)], budget, result["loss"])
        for trial, budget, _, result, _ in results(run_dir)
    ]


def test_one_worker_repeats_a_seeded_run_exactly(tmp_path):
    flags = (*TOY, "--n-iterations", 5, "--local-workers", 1, "--seed", 7, "--port", 0)
    for name in ("first", "second"):
        done = run("bohb_seg.commands.master", *flags, "--run-dir", name, folder=tmp_path)
        assert done.returncode == 0, done.stderr
    assert "optimizer bohb: a Gaussian process begins with " in done.stderr
    assert counted(tmp_path / "first") == counted(tmp_path / "second")
    assert len(counted(tmp_path / "first")) > 20


def test_workers_on_two_addresses_and_a_stock_worker_serve_one_master(tmp_path):
    port = free_port()
    with processes(tmp_path) as started:
        master = started.start(
            *("bohb_seg.commands.master", *TOY, "--n-iterations", 20, "--run-id", "shared"),
            *("--local-workers", 0, "--min-workers", 3, "--port", port),
        )
        common = ("--port", port, "--run-id", "shared", "--worker", "toy")
        for address in ("127.0.0.2", "127.0.0.3"):
            started.start("bohb_seg.commands.worker", *common, "--bind", address)
        wait_until(lambda: answers(port))  # a stock worker does not wait itself
        started.start(STOCK, "worker", "shared", "127.0.0.1", port, "127.0.0.4")
        started.finish(master)
        for process in started.running:
            started.finish(process)
    entries = journal.read(tmp_path / "results/shared/events.jsonl")
    served = [e.event.worker for e in entries if isinstance(e.event, Evaluated)]
    assert len(set(served)) == 3
    assert sum(name.endswith(".stock") for name in served) > 0


def test_a_killed_worker_loses_nothing(tmp_path):
    port = free_port()
    slow = ("--space", PROGRAMS / "slow_space.py")
    with processes(tmp_path) as started:
        master = started.start(
            *("bohb_seg.commands.master", *TOY, *slow, "--n-iterations", 1, "--run-id", "killed"),
            *("--local-workers", 0, "--min-workers", 2, "--port", port),
        )
        common = ("--port", port, "--worker", "toy")
        victim, _ = (started.start("bohb_seg.commands.worker", *common) for _ in range(2))
        events = tmp_path / "results/killed/events.jsonl"

        def victim_is_busy() -> bool:
            return events.exists() and f".{victim.pid}." in "".join(
                entry.event.worker
                for entry in journal.read(events)
                if isinstance(entry.event, Evaluate)
            )

        wait_until(victim_is_busy)
        victim.send_signal(signal.SIGKILL)
        started.finish(master)
    entries = journal.read(events)
    ends = [entry.event for entry in entries if isinstance(entry.event, Evaluated)]
    assert [end.outcome for end in ends if not end.lost_on] == ["finished"] * 13
    assert any(end.attempt == 2 for end in ends)


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_resume_goes_on_where_the_master_was_ended(tmp_path, end):
    slow = ("--space", PROGRAMS / "slow_space.py")
    flags = (*TOY, *slow, "--n-iterations", 2, "--local-workers", 1, "--port", 0)
    whole = run("bohb_seg.commands.master", *flags, "--run-dir", "whole", folder=tmp_path)
    assert whole.returncode == 0, whole.stderr
    with processes(tmp_path) as started:
        master = started.start("bohb_seg.commands.master", *flags, "--run-dir", "cut")
        wait_until(lambda: len(lines(tmp_path / "cut/results.json")) >= 5)
        master.send_signal(end)
        assert master.wait(60) == (3 if end == signal.SIGINT else -signal.SIGKILL)
    before = lines(tmp_path / "cut/results.json")
    again = run(
        "bohb_seg.commands.master", "--resume", "--run-dir", "cut", "--port", 0, folder=tmp_path
    )
    assert again.returncode == 0, again.stderr
    assert lines(tmp_path / "cut/results.json")[: len(before)] == before
    assert counted(tmp_path / "cut") == counted(tmp_path / "whole")


def test_hpbandster_without_us_opens_what_a_run_leaves(tmp_path):
    flags = (*TOY, "--n-iterations", 4, "--local-workers", 1, "--port", 0, "--run-dir", "run")
    done = run("bohb_seg.commands.master", *flags, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    elsewhere = _environment_without_us(tmp_path)
    code = (PROGRAMS / "reads_results.py").read_text()
    reader = run_python(code, tmp_path / "run", elsewhere)
    assert reader["ours"] == "absent"
    incumbent = json.loads((tmp_path / "run/incumbent.json").read_text())
    assert reader["pickle"] == reader["live log"]
    assert reader["pickle"] == [incumbent["trial"], len(results(tmp_path / "run"))]


def run_python(code: str, run_dir: Path, packages: Path) -> dict[str, object]:
    import subprocess

    done = subprocess.run(
        [sys.executable, "-S", "-E", "-c", code, str(packages), str(run_dir)],
        capture_output=True,
        text=True,
        cwd=run_dir,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def _environment_without_us(folder: Path) -> Path:
    """This environment's packages except ours, linked into a folder of their own."""
    import hpbandster

    packages = folder / "packages"
    packages.mkdir()
    for item in Path(hpbandster.__file__).parents[1].iterdir():
        if "bohb" not in item.name and item.suffix != ".pth":
            (packages / item.name).symlink_to(item)
    return packages


def lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []


def test_a_stopped_search_ends_in_good_order(tmp_path):
    flags = (*TOY, "--n-iterations", 1000, "--local-workers", 1, "--port", 0, "--run-dir", "run")
    done = run("bohb_seg.commands.master", *flags, "--max-evaluations", 30, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert 30 <= len(results(tmp_path / "run")) <= 31
    assert (tmp_path / "run/report/report.html").exists()


@pytest.mark.parametrize(("flag", "continues"), [("--continue", True), ("--no-continue", False)])
def test_a_search_trains_no_more_epochs_than_it_may(tmp_path, flag, continues):
    flags = (*TOY, "--n-iterations", 1000, "--local-workers", 1, "--port", 0, "--run-dir", "run")
    done = run("bohb_seg.commands.master", *flags, flag, "--max-epochs", 100, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    reached: dict[tuple[int, ...], list[float]] = {}
    for trial, budget, *_ in results(tmp_path / "run"):
        reached.setdefault(tuple(trial), []).append(budget)
    spent = sum(max(budgets) if continues else sum(budgets) for budgets in reached.values())
    assert 100 - 27 < spent <= 100


def test_a_resumed_run_needs_the_run_it_learnt_from_no_more(tmp_path):
    slow = ("--space", PROGRAMS / "slow_space.py")
    flags = (*TOY, *slow, "--n-iterations", 2, "--local-workers", 1, "--port", 0)
    cold = run("bohb_seg.commands.master", *flags, "--run-dir", "cold", folder=tmp_path)
    assert cold.returncode == 0, cold.stderr
    warm = (*flags, "--warm-start", "cold")
    whole = run("bohb_seg.commands.master", *warm, "--run-dir", "whole", folder=tmp_path)
    assert whole.returncode == 0, whole.stderr
    with processes(tmp_path) as started:
        master = started.start("bohb_seg.commands.master", *warm, "--run-dir", "cut")
        wait_until(lambda: len(lines(tmp_path / "cut/results.json")) >= 5)
        master.kill()
        master.wait()
    shutil.rmtree(tmp_path / "cold")
    again = run(
        "bohb_seg.commands.master", "--resume", "--run-dir", "cut", "--port", 0, folder=tmp_path
    )
    assert again.returncode == 0, again.stderr
    assert counted(tmp_path / "cut") == counted(tmp_path / "whole")
    configs = map(json.loads, lines(tmp_path / "whole/configs.json"))
    picked = [info["model_based_pick"] for _, _, info in configs]
    assert any(picked[:4]), "of its own, the model would be asked after six results"
    audit(tmp_path / "cut")


def test_a_run_that_is_cut_in_the_runoff_has_the_same_winner(tmp_path):
    flags = (
        *("--worker", "toy", "--space", PROGRAMS / "slow_space.py", "--heartbeat", 1),
        *("--n-iterations", 2, "--min-budget", 1, "--max-budget", 3, "--local-workers", 1),
        *("--final-epochs", 3, "--final-seeds", 6, "--port", 0, "--seed", 3, "--run-id", "r"),
    )
    whole = run("bohb_seg.commands.master", *flags, "--run-dir", "whole", folder=tmp_path)
    assert whole.returncode == 0, whole.stderr
    events = tmp_path / "cut/events.jsonl"

    def runs_off() -> bool:
        settled = [e.event for e in journal.read(events)] if events.exists() else []
        trials = [order.evaluation.trial for order in settled if isinstance(order, Settled)]
        return sum(trial.bracket == -2 for trial in trials) >= 2

    with processes(tmp_path) as started:
        master = started.start("bohb_seg.commands.master", *flags, "--run-dir", "cut")
        wait_until(runs_off)
        master.kill()
        master.wait()
    again = run(
        "bohb_seg.commands.master", "--resume", "--run-dir", "cut", "--port", 0, folder=tmp_path
    )
    assert again.returncode == 0, again.stderr
    incumbents = [(tmp_path / name / "incumbent.json").read_text() for name in ("whole", "cut")]
    assert incumbents[0] == incumbents[1]
    assert len(json.loads(incumbents[0])["reevaluations"]) == 2
    outcomes = [audit(tmp_path / name).outcome for name in ("whole", "cut")]
    assert outcomes[0] == outcomes[1]
    assert sum(e.trial.bracket == -2 for e in outcomes[0].losses) == 3 * 2
