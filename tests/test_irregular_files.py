"""Pipes, devices and files without end in the place of what is read: one sentence, and no wait."""

import os
from pathlib import Path

import pytest
from helpers.run_directories import beginning, chosen

from bohb_seg import plugins
from bohb_seg.errors import BohbSegError
from bohb_seg.files import open_to_append
from bohb_seg.master.local_workers import _last_line
from bohb_seg.plugins.literals import Literals
from bohb_seg.report.analysis import history
from bohb_seg.rpc import certificates, tls
from bohb_seg.settings import WorkerSettings
from bohb_seg.spaces.formats import loading
from bohb_seg.storage import journal, resume, settings_record, warm_start
from bohb_seg.storage.checkpoint_store import CheckpointStore
from bohb_seg.storage.hpbandster_files import LiveLog, write_pickle
from bohb_seg.storage.journal import Journal
from bohb_seg.storage.run_directory import RunDirectory
from bohb_seg.storage.run_lock import Holder
from bohb_seg.worker.local_copies import shares_storage
from bohb_seg.worker.run_info import nameserver_address

pytestmark = pytest.mark.timeout(20)


def a_pipe(path):
    os.mkfifo(path)


def a_device(path):
    path.symlink_to("/dev/zero")


def a_huge_file(path):
    path.touch()
    os.truncate(path, 1 << 42)


def new_run(run_dir):
    settings = chosen(run_dir.parent, run_dir=run_dir)
    RunDirectory(settings, beginning(settings), []).close()


REFUSE = {
    "is there a run": ("events.jsonl", resume.holds_run),
    "read the journal": ("events.jsonl", lambda d: journal.read(d / "events.jsonl")),
    "read its end": ("events.jsonl", lambda d: journal.tail(d / "events.jsonl", 9)),
    "lock the journal": ("events.jsonl", lambda d: Journal(d / "events.jsonl")),
    "begin a run": ("events.jsonl", new_run),
    "report": ("events.jsonl", history.read),
    "learn from it": ("events.jsonl", lambda d: warm_start.read([d])),
    "add to the live log": ("results.json", lambda d: open_to_append(d / "results.json")),
    "write the pickle": ("results.json", lambda d: write_pickle(d, None)),
    "read the token": ("checkpoints/.token", CheckpointStore),
    "find the master": (
        "nameserver.json",
        lambda d: nameserver_address(WorkerSettings(run_dir=d)),
    ),
    "the authority": ("certs/ca.pem", lambda d: tls.check(d / "certs", "worker")),
    "a certificate": ("certs/worker.pem", lambda d: tls.check(d / "certs", "worker")),
    "a key": ("certs/worker.key", lambda d: tls.check(d / "certs", "worker")),
    "who is revoked": ("certs/revoked.txt", lambda d: tls.check(d / "certs", "master")),
    "revoke one more": ("certs/revoked.txt", lambda d: certificates.revoke(d / "certs", "a")),
    "issue a certificate": ("certs/ca.key", lambda d: certificates.make_worker(d / "certs", "a")),
    "a space": ("space.json", lambda d: loading.load(str(d / "space.json"))),
    "a plug-in": ("mine.py", lambda d: plugins.file_of("models", str(d / "mine.py"))),
    "what it states": ("mine.py", lambda d: Literals(d / "mine.py")),
}


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made") / "certs"
    certificates.make(folder)
    return folder


@pytest.mark.parametrize("kind", [a_pipe, a_device, a_huge_file])
@pytest.mark.parametrize("what", REFUSE)
def test_it_is_refused_at_once(tmp_path, made, what, kind):
    name, read = REFUSE[what]
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "certs").mkdir()
    for file in made.iterdir():
        (tmp_path / "certs" / file.name).write_bytes(file.read_bytes())
    (tmp_path / "configs.json").write_text("")
    (tmp_path / name).unlink(missing_ok=True)
    kind(tmp_path / name)
    with pytest.raises((BohbSegError, OSError, ValueError)):
        read(tmp_path)


@pytest.mark.parametrize("kind", [a_pipe, a_device, a_huge_file])
def test_what_can_be_done_without_is_done_without(tmp_path, kind):
    (tmp_path / "checkpoints").mkdir()
    for name in ("settings.yaml", "master.json", "checkpoints/.token"):
        kind(tmp_path / name)
    assert settings_record.edited(tmp_path, {"seed": 5}) == ""
    assert Holder.read(tmp_path) is None
    assert not shares_storage(tmp_path, "0" * 32)


@pytest.mark.parametrize("kind", [a_pipe, a_device])
def test_a_log_that_is_no_file_is_as_good_as_empty(tmp_path, kind):
    kind(tmp_path / "worker.log")
    assert _last_line(tmp_path / "worker.log") == ""


def test_a_live_log_is_never_written_through_a_link(tmp_path):
    """A worker that shares the disk could let the master write to another file of its user."""
    (tmp_path / "foreign").write_text("mine\n")
    (tmp_path / "run").mkdir()
    live_log = LiveLog(tmp_path / "run")
    live_log.rewrite([])
    (tmp_path / "run/results.json").unlink()
    (tmp_path / "run/results.json").symlink_to(tmp_path / "foreign")
    with pytest.raises(OSError, match="symbolic links"):
        open_to_append(Path(tmp_path / "run/results.json"))
    live_log.rewrite([])
    assert (tmp_path / "foreign").read_text() == "mine\n"
    assert not (tmp_path / "run/results.json").is_symlink()
