"""The disk under the run directory is full, or cannot be written at all."""

import subprocess

import pytest
from helpers.audit import audit
from helpers.commands import only_sentence

from bohb_seg.search.events import Evaluated

pytestmark = pytest.mark.faults


def fill(balloon):
    """Leaves no free byte on the disk."""
    with balloon.open("wb", buffering=0) as file:
        try:
            while file.write(b"\0" * 4096):
                pass
        except OSError:
            return


def test_a_full_disk_pauses_the_run_and_loses_nothing(cluster, disk):
    cluster.run_dir = disk / "run"
    master = cluster.master("--min-budget", 1, "--max-budget", 9, "--n-iterations", 2)
    workers = [cluster.worker(), cluster.worker()]
    cluster.until(lambda: len(cluster.events(Evaluated)) >= 3, "the run goes on")
    fill(disk / "balloon")
    cluster.until(lambda: master.said("no space left"), "the master says that it waits for room")
    written = len(cluster.entries)
    (disk / "balloon").unlink()
    cluster.until(lambda: len(cluster.entries) > written, "the run goes on when there is room")
    master.finish()
    for worker in workers:
        worker.finish()
    audit(cluster.run_dir)


def test_a_run_directory_on_a_full_disk_is_refused_at_the_start(cluster, disk):
    fill(disk / "balloon")
    cluster.run_dir = disk / "run"
    sentence = refusal(cluster)
    assert str(cluster.run_dir) in sentence


def test_a_run_directory_that_cannot_be_written_is_refused_at_the_start(cluster, disk):
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    cluster.run_dir = disk / "run"
    sentence = refusal(cluster)
    assert str(cluster.run_dir) in sentence
    assert "cannot be written" in sentence


def refusal(cluster):
    master = cluster.master("--n-iterations", 1)
    return only_sentence(master.status(), master.log)
