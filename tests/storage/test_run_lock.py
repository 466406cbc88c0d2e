"""One master writes a run, and notices before its next line that it is not the one any more."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys

import pytest
from helpers.masters import left_elsewhere
from helpers.with_us import with_us

from bohb_seg.errors import RunLostError, RunMissingError, SettingsError
from bohb_seg.search.events import BracketFinished, Finish
from bohb_seg.storage import run_lock
from bohb_seg.storage.journal import FILE_NAME, Journal, read
from bohb_seg.storage.journal_entries import RunResumed


@pytest.fixture
def run_dir(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    return folder


@pytest.fixture
def journal(run_dir):
    """The journal of a master that has written one line."""
    opened = Journal(run_dir / FILE_NAME)
    opened.append([BracketFinished(0)])
    yield opened
    opened.close()


def kinds(path):
    return [type(entry.event).__name__ for entry in read(path)]


# --- whose it is ------------------------------------------------------------------------------


def test_a_second_master_hears_who_has_the_run(journal, run_dir):
    with pytest.raises(SettingsError) as error:
        Journal(journal.path)
    assert f"--run-dir {run_dir} is in use by another master, process {os.getpid()}" in str(
        error.value
    )
    assert f"on {socket.gethostname()!r} since 20" in str(error.value)
    assert "--take-over" not in str(error.value)
    journal.append([Finish("nothing was disturbed")])


@pytest.mark.parametrize("knowingly", ["free", "always"])
def test_the_lock_of_a_process_of_this_machine_is_never_taken_over(journal, knowingly):
    with pytest.raises(SettingsError, match="in use by another master"):
        Journal(journal.path, knowingly)


def test_a_proper_end_leaves_nobody_named(journal, run_dir):
    assert json.loads((run_dir / run_lock.FILE_NAME).read_text())["process"] == os.getpid()
    journal.close()
    assert [path.name for path in run_dir.iterdir()] == [FILE_NAME]


HOLD = """
import sys, pathlib
from bohb_seg.storage.journal import Journal
from bohb_seg.storage.journal_entries import RunResumed
journal = Journal(pathlib.Path(sys.argv[1]))
journal.append([RunResumed()])
print("locked", flush=True)
sys.stdin.read()
"""


def test_a_stopped_master_keeps_the_run_and_a_killed_one_does_not(run_dir):
    path = run_dir / FILE_NAME
    command = [*with_us(), sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"locked\n"
        holder.send_signal(signal.SIGSTOP)
        with pytest.raises(SettingsError, match=f"process {holder.pid} on"):
            Journal(path)
        holder.kill()
        holder.wait()
        Journal(path).close()
    assert kinds(path) == ["RunResumed"]


# --- a lost machine ---------------------------------------------------------------------------


def test_a_run_of_another_machine_is_taken_over_knowingly(run_dir):
    path = run_dir / FILE_NAME
    left_elsewhere(run_dir)
    with pytest.raises(SettingsError, match=r"process 4711 on 'elsewhere' since .*--take-over"):
        Journal(path)
    taken = Journal(path, "always")
    taken.append([RunResumed()])
    taken.close()
    Journal(path).close()
    assert kinds(path) == ["RunResumed"]


def test_whatever_starts_a_master_again_takes_over_what_the_kernel_freed(journal, run_dir):
    left_elsewhere(run_dir)
    with pytest.raises(SettingsError, match="in use by another master"):
        Journal(journal.path, "free")
    journal.close()
    left_elsewhere(run_dir)
    Journal(journal.path, "free").close()


def test_a_master_that_comes_back_writes_nothing_into_a_run_that_was_taken_over(journal, run_dir):
    """As over a network file system: the lock is held for a machine that seemed lost."""
    left_elsewhere(run_dir)
    taken = Journal(journal.path, "always")
    with pytest.raises(RunLostError, match="taken over by process") as lost:
        journal.append([Finish("late")])
    assert lost.value.is_taken
    taken.append([RunResumed()])
    journal.close()
    taken.append([Finish("end")])
    assert (run_dir / run_lock.FILE_NAME).exists(), "the late master took the name off"
    taken.close()
    assert kinds(journal.path) == ["BracketFinished", "RunResumed", "Finish"]


@pytest.mark.parametrize("record", [b"", b"null", b"{}", b'{"host": 1}', b"\xff", b"[[[["])
def test_an_illegible_name_is_nobodys(run_dir, record):
    (run_dir / run_lock.FILE_NAME).write_bytes(record)
    Journal(run_dir / FILE_NAME).close()


# --- before the next line ---------------------------------------------------------------------


@pytest.mark.parametrize("foreign", [b"x", b'{"time":1.0,"kind":"RunResumed"}\n'])
def test_a_line_of_another_process_is_noticed(journal, foreign):
    with journal.path.open("ab") as other:
        other.write(foreign)
    before = journal.path.read_bytes()
    with pytest.raises(RunLostError, match="was written by another process"):
        journal.append([Finish("end")])
    assert journal.path.read_bytes() == before


def test_another_last_line_of_the_same_length_is_noticed(journal):
    with journal.path.open("r+b") as other:
        other.seek(-4, os.SEEK_END)
        other.write(b"z")
    with pytest.raises(RunLostError, match="was written by another process"):
        journal.check()


def removed(run_dir):
    shutil.rmtree(run_dir)


def emptied(run_dir):
    for path in run_dir.iterdir():
        path.unlink()


@pytest.mark.parametrize("happens", [removed, emptied])
def test_a_removed_journal_is_written_again(journal, run_dir, happens):
    content = journal.path.read_bytes()
    happens(run_dir)
    with pytest.raises(RunMissingError):
        journal.append([Finish("end")])
    assert journal.rescue() == (journal.path, True)
    assert journal.path.read_bytes() == content


def test_a_moved_journal_is_found_and_may_come_back(journal, run_dir):
    moved = run_dir.rename(run_dir.with_name("moved"))
    with pytest.raises(RunMissingError):
        journal.check()
    assert journal.rescue() == (moved / FILE_NAME, False)
    assert not run_dir.exists()
    moved.rename(run_dir)
    journal.append([Finish("end")])
    assert kinds(journal.path) == ["BracketFinished", "Finish"]


def test_another_journal_in_its_place_is_no_reason_to_write(journal, run_dir):
    run_dir.rename(run_dir.with_name("moved"))
    run_dir.mkdir()
    other = Journal(run_dir / FILE_NAME)
    with pytest.raises(RunLostError, match="taken over by"):
        journal.append([Finish("end")])
    other.close()
    with pytest.raises(RunLostError, match="replaced by another file"):
        journal.append([Finish("end")])
    assert kinds(journal.path) == []
