"""Which checkpoints and hidden files are removed: the worst, the dead, the unfinished."""

import itertools
import math
import os
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bohb_seg.errors import SettingsError
from bohb_seg.files import log_stream, write_whole
from bohb_seg.report.page import _fill
from bohb_seg.rpc import checkpoint_names
from bohb_seg.storage.checkpoint_retention import CheckpointRetention, cap, leftovers
from bohb_seg.storage.checkpoint_store import CheckpointStore
from bohb_seg.storage.journal import Journal
from bohb_seg.trials import TrialId, checkpoint_folder


def test_a_disk_that_fails_costs_no_run(caplog):
    retention = CheckpointRetention(Path("x" * 300), 1.0)  # no file system can look that up
    assert retention.keep_cap([]) == ()
    retention.keep_only([])
    assert "the checkpoints cannot be counted: [Errno 36]" in caplog.text
    assert "old checkpoints cannot be removed: [Errno 36]" in caplog.text


# --- the cap ----------------------------------------------------------------------------------


def checkpoint(run_dir, trial, kilobytes):
    path = run_dir / checkpoint_folder(trial) / "epoch-00001.npz"
    path.parent.mkdir(parents=True)
    path.write_bytes(bytes(1000 * kilobytes))


def trials(run_dir):
    return {path.name for path in (run_dir / "checkpoints").iterdir()}


def test_the_cap_takes_the_worst_and_no_more_than_needed(tmp_path):
    ids = [TrialId(0, 0, number) for number in range(6)]
    for trial in ids:
        checkpoint(tmp_path, trial, 10)
    losses = {ids[0]: 0.9, ids[1]: 0.5, ids[2]: 0.8, ids[3]: 0.1, ids[4]: math.nan}
    assert cap(tmp_path, 60e-6, losses, []) == []
    assert cap(tmp_path, 35e-6, losses, running=[ids[0]]) == [ids[4], ids[2], ids[1]]
    assert trials(tmp_path) == {"0-0-0", "0-0-3", "0-0-5"}
    assert cap(tmp_path, 1e-9, losses, running=[ids[0]]) == [ids[3]]
    assert trials(tmp_path) == {"0-0-0", "0-0-5"}


def test_there_need_not_be_checkpoints(tmp_path):
    assert cap(tmp_path, 1e-9, {}, []) == []
    assert leftovers(tmp_path, []) == []


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 9), max_size=6),
    losses=st.dictionaries(st.integers(0, 7), st.floats(0, 1) | st.just(math.nan), max_size=8),
    running=st.sets(st.integers(0, 7), max_size=3),
    room=st.integers(1, 30),
)
def test_the_cap_keeps_what_it_must(sizes, losses, running, room):
    with tempfile.TemporaryDirectory() as base:
        run_dir, ids = Path(base), [TrialId(0, 0, number) for number in range(8)]
        for trial, size in zip(ids, sizes, strict=False):
            checkpoint(run_dir, trial, size)
        lost = {ids[number]: loss for number, loss in losses.items()}
        removed = cap(run_dir, room * 1e-6, lost, {ids[number] for number in running})
        there = dict(zip(ids, sizes, strict=False))
        assert set(removed) <= there.keys() & lost.keys() - {ids[n] for n in running}
        left = there.keys() - set(removed)
        assert trials(run_dir) == {f"0-0-{trial.number}" for trial in left} if there else True
        removable = (left & lost.keys()) - {ids[number] for number in running}
        assert sum(there[trial] for trial in left) <= room or not removable
        for gone, stays in itertools.product(removed, removable):
            assert math.isnan(lost[gone]) or lost[gone] >= lost[stays]
        if removed:
            assert sum(there[trial] for trial in {*left, removed[-1]}) > room


# --- leftovers --------------------------------------------------------------------------------


def test_what_earlier_starts_left_is_cleared(tmp_path):
    token = CheckpointStore(tmp_path).token
    live, dead = TrialId(1, 0, 2), TrialId(-1, 1, 0)
    for trial in (live, dead, TrialId(0, 0, 0)):
        checkpoint(tmp_path, trial, 1)
    (tmp_path / "checkpoints" / "notes").mkdir()
    (tmp_path / "comparison" / "default-0").mkdir(parents=True)
    folders = ["checkpoints", "checkpoints/1-0-2", "comparison", "comparison/default-0"]
    for folder, name in itertools.product(folders, [".old.upload", ".new.upload", "old"]):
        (tmp_path / folder / name).write_bytes(b"")
    long_ago = time.time() - 2 * 3600
    for path in [*tmp_path.rglob("*old*"), tmp_path / checkpoint_names.TOKEN_FILE]:
        os.utime(path, (long_ago, long_ago))
    assert leftovers(tmp_path, [live]) == [dead, TrialId(0, 0, 0)]
    assert {path.name for path in (tmp_path / "checkpoints").iterdir()} == {
        *("1-0-2", "notes", ".new.upload", "old", ".token")
    }
    for folder in folders[1:]:
        files = {path.name for path in (tmp_path / folder).iterdir() if path.is_file()}
        assert files - {"epoch-00001.npz"} == {".new.upload", "old"}
    assert CheckpointStore(tmp_path).token == token


def test_what_the_master_did_not_finish_is_cleared(tmp_path):
    """Nothing else, however old: the run directory may hold hidden files of others."""
    unfinished = ".0123456789abcdef-file"
    folders = [".", "report", "report/figures", "logs"]
    for folder, name in itertools.product(folders, [unfinished, ".mine", "file"]):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / name).write_bytes(b"")
        os.utime(tmp_path / folder / name, (0, 0))
    (tmp_path / "report" / ".fedcba9876543210-new").write_bytes(b"")
    assert leftovers(tmp_path, []) == []
    found = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert found == {
        *(f"logs/{unfinished}", "report/.fedcba9876543210-new"),
        *(".mine", "report/.mine", "report/figures/.mine", "logs/.mine"),
        *("file", "report/file", "report/figures/file", "logs/file"),
    }


def test_no_link_leads_to_hidden_files_of_others(tmp_path):
    """A worker that shares the disk can place links where it writes its checkpoints."""
    home = tmp_path / "home"
    (home / "0-0-1").mkdir(parents=True)
    for name in (".profile", "0-0-1/.profile"):
        (home / name).write_text("mine")
        os.utime(home / name, (0, 0))
    run_dir = tmp_path / "run"
    for folder in ("checkpoints", "comparison", "report"):
        (run_dir / folder).mkdir(parents=True)
        (run_dir / folder / "0-0-1").symlink_to(home)
    (run_dir / "checkpoints" / ".link").symlink_to(home / ".profile")
    leftovers(run_dir, [])
    CheckpointRetention(run_dir, None).remove()
    assert {path.name for path in home.rglob(".*")} == {".profile"}
    assert len(list(home.rglob(".profile"))) == 2


@pytest.mark.skipif(os.geteuid(), reason="only root can make a link of another user")
def test_links_of_other_users_lead_nowhere(tmp_path):
    home, run_dir = tmp_path / "home", tmp_path / "run"
    (home / "0-0-1").mkdir(parents=True)
    (home / "plot.png").write_text("mine")
    run_dir.mkdir()
    for name in ("checkpoints", "report", "logs", "events.jsonl"):
        (run_dir / name).symlink_to(home / "notes" if name == "events.jsonl" else home)
        os.lchown(run_dir / name, 4321, 4321)
    retention = CheckpointRetention(run_dir, 1e-9)
    retention.keep_only([])
    retention.keep_cap([])
    with pytest.raises(SettingsError, match="checkpoints is a link of another user"):
        CheckpointStore(run_dir)
    with pytest.raises(OSError, match=r"events\.jsonl is a link of another user"):
        Journal(run_dir / "events.jsonl")
    with pytest.raises(OSError, match="report is a link of another user"):
        _fill(run_dir / "report", ".png", {}, within=run_dir)
    log_stream(run_dir / "logs" / "dashboard.log").close()
    assert {path.name for path in home.iterdir()} == {"0-0-1", "plot.png"}


# --- the end ----------------------------------------------------------------------------------


def test_at_the_end_all_of_it_goes_and_a_late_writer_finds_no_place(tmp_path):
    store = CheckpointStore(tmp_path)
    checkpoint(tmp_path, TrialId(0, 0, 1), 1)
    (tmp_path / "checkpoints" / "notes").mkdir()
    CheckpointRetention(tmp_path, None).remove()
    assert list(tmp_path.iterdir()) == []
    late = tmp_path / "checkpoints" / "0-0-1" / "epoch-00003.npz"
    with pytest.raises(FileNotFoundError):
        write_whole(late, b"late", within=late.parents[1])
    with pytest.raises(OSError, match="No such file"):
        store.store("checkpoints/0-0-1", late.name, 0, b"late", "0" * 32)
    assert list(tmp_path.iterdir()) == []
    store.store("comparison/default-0", "model.keras", 0, b"late", "0" * 32)
    assert [path.name for path in tmp_path.iterdir()] == ["comparison"]
    CheckpointStore(tmp_path)  # of a master that goes on
    write_whole(late, b"in time", within=late.parents[1])
    assert late.read_bytes() == b"in time"


def test_a_link_to_another_disk_is_emptied_and_removed(tmp_path):
    (tmp_path / "large").mkdir()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "checkpoints").symlink_to(tmp_path / "large")
    CheckpointStore(tmp_path / "run")
    checkpoint(tmp_path / "run", TrialId(0, 0, 1), 1)
    CheckpointRetention(tmp_path / "run", None).remove()
    assert list((tmp_path / "run").iterdir()) == []
    assert not list((tmp_path / "large").glob("0-*"))


def test_a_folder_that_was_not_yet_empty_goes_with_the_next_start(tmp_path):
    half = tmp_path / ".0123456789abcdef-checkpoints"
    (half / "0-0-1").mkdir(parents=True)
    (half / "0-0-1" / "epoch-00001.npz").write_bytes(b"")
    (tmp_path / ".mine-checkpoints").mkdir()
    leftovers(tmp_path, [])
    assert [path.name for path in tmp_path.iterdir()] == [".mine-checkpoints"]
