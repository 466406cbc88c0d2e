"""Processes that die at work leave a note; those that live do not."""

import os
import subprocess
import sys
import time

import pytest

from bohb_seg.training.crash_notes import FORGOTTEN_AFTER, CrashNotes

AT_WORK = """
import sys, time
from pathlib import Path
from bohb_seg.training.crash_notes import CrashNotes

with CrashNotes(Path(sys.argv[1]), sys.argv[2]).risk(int(sys.argv[3])):
    print("at work", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def at_work(tmp_path):
    """Starts processes that are at work with so many patches at once."""
    processes = []

    def start(micro_batch, key="unet"):
        command = [sys.executable, "-c", AT_WORK, str(tmp_path), key, str(micro_batch)]
        processes.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        assert processes[-1].stdout.readline() == "at work\n"
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture
def died(at_work):
    """Lets processes die of so many patches at once."""

    def die(*micro_batches, key="unet"):
        for micro_batch in micro_batches:
            process = at_work(micro_batch, key)
            process.kill()
            process.wait()

    return die


def forbidden(folder, key="unet"):
    return [size for size in (16, 8, 4, 2, 1) if CrashNotes(folder, key).forbid(size)]


def test_nobody_knows_anything_of_a_new_machine(tmp_path):
    assert forbidden(tmp_path / "none") == []


def test_one_death_may_have_any_reason_two_have_one(tmp_path, died):
    died(8)
    assert forbidden(tmp_path) == []
    died(8)
    assert forbidden(tmp_path) == [16, 8]
    assert forbidden(tmp_path, "another network") == []


def test_what_killed_with_few_patches_kills_with_more(tmp_path, died):
    died(4, 16)
    assert forbidden(tmp_path) == [16]
    died(8)
    assert forbidden(tmp_path) == [16, 8]


def test_those_at_work_are_not_dead(tmp_path, at_work):
    at_work(8), at_work(8)
    assert forbidden(tmp_path) == []


def test_who_lives_disproves_them(tmp_path, died):
    died(16, 8, 4)
    died(4, key="another network")
    with CrashNotes(tmp_path, "unet").risk(8):
        assert forbidden(tmp_path) == [16, 8]
    assert forbidden(tmp_path) == []
    died(16)
    assert forbidden(tmp_path) == [16]  # with the first 16, which 8 could not disprove


def test_an_error_is_no_death_and_disproves_none(tmp_path, died):
    died(8, 8)
    with pytest.raises(MemoryError), CrashNotes(tmp_path, "unet").risk(8):
        raise MemoryError
    assert forbidden(tmp_path) == [16, 8]
    assert len(list(tmp_path.iterdir())) == 2


def test_the_past_is_forgotten(tmp_path, died):
    died(8, 8)
    for note in tmp_path.iterdir():
        before = time.time() - FORGOTTEN_AFTER - 1
        os.utime(note, (before, before))
    assert forbidden(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_work_goes_on_where_no_note_can_be_left(tmp_path):
    (tmp_path / "file").write_text("")
    with CrashNotes(tmp_path / "file", "unet").risk(8):
        assert forbidden(tmp_path / "file") == []


def test_strange_notes_are_passed_over(tmp_path, died):
    died(8, 8)
    name = next(iter(tmp_path.iterdir())).name.partition("-")[0]
    (tmp_path / f"{name}-many-0").touch()
    os.mkfifo(tmp_path / f"{name}-4-0")
    (tmp_path / f"{name}-2-0").mkdir()
    assert forbidden(tmp_path) == [16, 8]
    with CrashNotes(tmp_path, "unet").risk(8):
        pass
    assert forbidden(tmp_path) == []
