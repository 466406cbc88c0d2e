"""An evaluation that ends its worker's process, never ends, or fails as all others do."""

import os

import pytest
from helpers.audit import audit
from helpers.commands import PROGRAMS

from bohb_seg.errors import EXIT_FAILED
from bohb_seg.search.events import Evaluate, Evaluated, Finish, Settled
from bohb_seg.search.first_failures import ENOUGH

pytestmark = pytest.mark.faults

POISON = ("--worker", PROGRAMS / "poison.py", "--local-workers", 2)


def error_of(cluster, number):
    """The error with which a trial of the lowest rung was settled."""
    settled = [(event.evaluation, event.attempt) for event in cluster.events(Settled)]
    (error,) = [
        news.error
        for news in cluster.events(Evaluated)
        if news.evaluation.trial.number == number and (news.evaluation, news.attempt) in settled
    ]
    return error


def test_what_ends_its_workers_has_failed_and_the_run_goes_on_also_without_a_terminal(cluster):
    """The terminal goes away meanwhile: a display is no part of a run."""
    (cluster.folder / "poisonous").touch()
    end, own = os.openpty()
    cluster.heartbeat = 0.5
    master = cluster.master(
        *(*POISON, "--min-budget", 1, "--max-budget", 9, "--n-iterations", 1),
        *("--max-attempts", 2, "--max-minutes-per-evaluation", 0.02),
        terminal=own,
    )
    os.close(own)
    cluster.until(lambda: cluster.entries, "it has begun")
    os.close(end)
    assert master.status() == 0
    audit(cluster.run_dir, bad=["crashed"])
    assert "SIGSEGV ended its process; its last words: Fatal Python error" in error_of(cluster, 1)
    assert "crashed its worker: SIGKILL ended its process, as the kernel" in error_of(cluster, 2)
    assert "its process ended with status 0" in error_of(cluster, 3)
    assert "its process ended with status 2" in error_of(cluster, 4)
    assert "took longer than --max-minutes-per-evaluation 0.02" in error_of(cluster, 5)
    attempts = [order.evaluation.trial.number for order in cluster.events(Evaluate)]
    assert [attempts.count(number) for number in range(1, 6)] == [2, 2, 2, 2, 1]
    assert (cluster.run_dir / "report/report.html").exists()


def test_a_run_in_which_all_fails_alike_stops_and_can_be_resumed(cluster):
    (cluster.folder / "broken").touch()
    flags = ("--min-budget", 1, "--max-budget", 9, "--n-iterations", 1, "--max-attempts", 1)
    master = cluster.master(*POISON, *flags)
    assert master.status() == EXIT_FAILED
    assert master.said("evaluations failed alike: RuntimeError: no kernel image for convolution")
    assert len(cluster.events(Settled)) >= ENOUGH
    assert master.said("--resume")
    assert "done" not in master.log
    assert cluster.events(Finish) == []
    (cluster.folder / "broken").unlink()
    cluster.resume("--local-workers", 1).finish()
    audit(cluster.run_dir, bad=["crashed"])
