"""What systemd itself finds in the units, and what becomes of runs and workers that they start."""

import pytest
from deploy.systemd.machine import blocks
from deploy.systemd.run import BRACKET, TWO_BRACKETS, Ended, Run
from helpers.audit import audit

from bohb_seg.search.events import Evaluate
from bohb_seg.storage.journal_entries import RunResumed

pytestmark = pytest.mark.deploy

WORKERS = ("bohb-worker@auto", "bohb-worker@cpu")
"""The instance is what --device takes; these two run anywhere, side by side."""
MOST_EXPOSED = 25
"""Tenths of a point; what is below 50 systemd calls OK."""


@pytest.fixture
def run(machine, request):
    name = request.node.name.removeprefix("test_").replace("[", "-").strip("]")
    prepared = Run(machine, name, WORKERS)
    yield prepared
    prepared.stop()


@pytest.mark.parametrize("unit", ["bohb-master@.service", "bohb-worker@.service"])
def test_systemd_has_nothing_to_say_about(machine, unit):
    file = f"/etc/systemd/system/{unit}"
    exposure = ("systemd-analyze", "security", "--offline=true", f"--threshold={MOST_EXPOSED}")

    assert machine.run("systemd-analyze", "verify", "--man=no", file) == ""
    machine.run(*exposure, file)  # its status tells


def test_a_run_is_finished_and_all_units_with_it(run):
    run.start(**BRACKET, BOHB_MIN_WORKERS=len(WORKERS))

    assert [run.ended(unit) for unit in (run.master, *WORKERS)] == [Ended()] * 3
    events = [entry.event for entry in audit(run.folder).entries]
    assert len({event.worker for event in events if isinstance(event, Evaluate)}) == len(WORKERS)
    assert (run.folder / "report/report.html").exists()


def test_the_check_of_the_readme_says_ready(run):
    run.start(**BRACKET)
    check = blocks()[2].partition("systemctl")[0].replace("gpu:0", "cpu")

    def said():
        return run.machine.run("sh", "-ec", check, check=False).splitlines()

    run.machine.until(lambda: "ready" in said(), "the nameserver is there and all is ready")


def test_a_killed_worker_returns_and_its_evaluation_is_handed_on(run):
    run.start(**TWO_BRACKETS)
    order = run.at_work("bohb-worker@cpu")
    killed = run.process("bohb-worker@cpu")

    run.machine.run("systemctl", "kill", "--signal=KILL", "--kill-whom=main", "bohb-worker@cpu")

    assert run.again(order).worker != order.worker
    run.at_work("bohb-worker@cpu")
    assert run.process("bohb-worker@cpu") != killed
    assert run.restarts("bohb-worker@cpu") == 1
    assert run.ended(run.master) == Ended()
    audit(run.folder)


def test_a_stopped_worker_hands_its_trial_back(run):
    run.start(**BRACKET)
    order = run.at_work("bohb-worker@cpu")

    run.machine.run("systemctl", "stop", "bohb-worker@cpu")

    assert run.ended("bohb-worker@cpu") == Ended()
    assert run.again(order).worker != order.worker
    assert run.ended(run.master) == Ended()
    audit(run.folder)


def test_a_stopped_master_is_gone_on_with_by_the_next(run):
    run.start(**BRACKET)
    run.at_work("bohb-worker@cpu")
    before = [run.process(worker) for worker in WORKERS]

    run.machine.run("systemctl", "stop", run.master)
    stopped = run.ended(run.master)
    run.machine.run("systemctl", "start", run.master)

    assert stopped == Ended(status=3)
    assert [run.process(worker) for worker in WORKERS] == before
    _ends_well_after_a_second_start(run)


def test_a_killed_master_returns_and_goes_on(run):
    run.start(**BRACKET)
    run.at_work("bohb-worker@cpu")
    before = [run.process(worker) for worker in WORKERS]

    run.machine.run("systemctl", "kill", "--signal=KILL", "--kill-whom=main", run.master)

    run.machine.until(lambda: run.restarts(run.master) == 1, "the master is started again")
    assert [run.process(worker) for worker in WORKERS] == before
    _ends_well_after_a_second_start(run)


def test_bad_input_is_told_and_not_tried_again(run):
    run.start(BOHB_N_ITERATIONS="many")

    assert run.ended(run.master) == Ended("failed", "exit-code", 2)
    assert run.restarts(run.master) == 0
    said = run.machine.journal(run.master)
    assert "--n-iterations many (from environment)" in said
    assert "Traceback" not in said


def _ends_well_after_a_second_start(run):
    assert [run.ended(unit) for unit in (run.master, *WORKERS)] == [Ended()] * 3
    assert [run.restarts(worker) for worker in WORKERS] == [0, 0]
    resumed = [entry for entry in audit(run.folder).entries if isinstance(entry.event, RunResumed)]
    assert len(resumed) == 1
