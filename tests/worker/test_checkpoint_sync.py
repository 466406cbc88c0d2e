"""A worker without the master's storage: its files go to and fro over real Pyro4 on loopback."""

import contextlib
import errno
import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import Pyro4
import pytest
import serpent

from bohb_seg.files import write_whole
from bohb_seg.files.integrity import seal
from bohb_seg.rpc import checkpoint_names, pyro
from bohb_seg.storage.checkpoint_store import CheckpointStore
from bohb_seg.storage.uploads import Uploads
from bohb_seg.worker import checkpoint_sync, local_copies, storage_calls
from bohb_seg.worker.checkpoint_sync import CheckpointSync

TRIAL, FOLDER = (0, 1, 2), "checkpoints/0-1-2"
EVIL, EVIL_SHA256 = b"evil", hashlib.sha256(b"evil").hexdigest()
LONG = 30.0
"""Seconds after which a test on a busy machine gives up; none ever waits so long."""

pytestmark = pytest.mark.timeout(120)


@Pyro4.expose
class Recording(CheckpointStore):
    """The real storage, which remembers what it was asked for and may be told to misbehave."""

    def __init__(self, run_dir):
        super().__init__(run_dir)
        self.calls = []
        self.flips = 0
        self._answer = {}

    def stored(self, folder):
        self.calls.append(("stored", folder))
        return {**super().stored(folder), **self._answer}

    def fetch(self, folder, name, offset):
        self.calls.append(("fetch", name))
        if name in self._answer:
            return EVIL[offset:]
        return self._carried(super().fetch(folder, name, offset))

    def store(self, folder, name, offset, data, uploader):
        super().store(folder, name, offset, self._carried(serpent.tobytes(data)), uploader)

    def _carried(self, piece):
        """A piece as it comes over a wire on which a bit flips now and then."""
        if not (self.flips and piece):
            return piece
        self.flips -= 1
        return bytes([piece[0] ^ 4]) + piece[1:]

    def keep(self, folder, name, size, sha256, uploader):
        self.calls.append(("keep", name))
        return super().keep(folder, name, size, sha256, uploader)


class Master:
    """A run directory and the daemon before it, which can be stopped and started elsewhere."""

    def __init__(self, run_dir):
        run_dir.mkdir(exist_ok=True)
        self.run_dir = run_dir
        self.start()

    def start(self):
        pyro.set_up_pyro()
        self.storage = Recording(self.run_dir)
        self._daemon = Pyro4.Daemon(host="127.0.0.1")
        self._uri = str(self._daemon.register(self.storage, "storage"))
        self._thread = threading.Thread(target=self._daemon.requestLoop, daemon=True)
        self._thread.start()

    def stop(self):
        self._daemon.shutdown()
        self._thread.join(LONG)

    def proxy(self):
        return pyro.proxy(self._uri, 5)

    def files(self, folder=FOLDER):
        paths = (self.run_dir / folder).glob("*")
        return {path.name: path.read_bytes() for path in paths if path.is_file()}

    def did(self, call):
        return [what for name, what in self.storage.calls if name == call]


@pytest.fixture
def master(tmp_path):
    found = Master(tmp_path / "run")
    yield found
    found.stop()


@pytest.fixture
def synced(master, tmp_path):
    return CheckpointSync(master.proxy, master.storage.token, tmp_path / "local", patience=LONG)


def write(directory, name, content, folder=FOLDER):
    """As checkpoints are written: a hidden file first, then its name."""
    path = Path(directory) / folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_name(f".{name}.7").write_bytes(content)
    path.with_name(f".{name}.7").replace(path)
    return path


def soon(condition):
    deadline = time.monotonic() + LONG
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)


def files_below(directory):
    paths = Path(directory).rglob("*")
    return {str(path.relative_to(directory)) for path in paths if path.is_file()} - {".lock"}


ELSEWHERE = "/nonexistent/run"

# --- there and back ---------------------------------------------------------------------------


def test_a_trial_goes_on_elsewhere(master, synced):
    three, five = os.urandom(2_500_000), os.urandom(3_000_000)
    write(master.run_dir, "epoch-00003.npz", three)
    with synced.trial(TRIAL, ELSEWHERE) as directory:
        path = Path(directory) / FOLDER / "epoch-00003.npz"
        assert path.read_bytes() == three
        write(directory, "epoch-00005.npz", five)
        path.unlink()
    assert master.files() == {"epoch-00005.npz": five}
    assert synced.complaint == ""
    assert files_below(directory) == set()


def test_a_new_trial_has_no_files_and_needs_none(master, synced):
    with synced.trial(TRIAL, ELSEWHERE) as directory:
        assert files_below(directory) == set()
    assert not (master.run_dir / FOLDER).exists()
    assert synced.complaint == ""


def test_what_is_here_already_is_neither_brought_nor_pushed(master, synced):
    write(master.run_dir, "epoch-00003.npz", b"three")
    with synced.trial((0, 0, 9), ELSEWHERE) as directory:
        write(directory, "epoch-00003.npz", b"three")
        write(directory, "epoch-00004.npz", b"of another trial", folder="checkpoints/0-0-8")
    # As if the worker had been killed: its copy of this trial and of another one still lie there.
    write(directory, "epoch-00003.npz", b"three")
    write(directory, "epoch-00004.npz", b"of another trial", folder="checkpoints/0-0-8")
    with synced.trial(TRIAL, ELSEWHERE):
        assert files_below(directory) == {f"{FOLDER}/epoch-00003.npz"}
    assert (master.did("fetch"), master.did("keep")) == ([], [])


def test_a_copy_with_other_content_is_replaced(master, synced):
    write(master.run_dir, "epoch-00003.npz", b"right")
    with synced.trial((0, 0, 9), ELSEWHERE) as directory:
        pass
    write(directory, "epoch-00003.npz", b"wrong")
    with synced.trial(TRIAL, ELSEWHERE) as directory:
        assert (Path(directory) / FOLDER / "epoch-00003.npz").read_bytes() == b"right"
    assert master.files() == {"epoch-00003.npz": b"right"}


def test_new_whole_files_are_pushed_while_the_work_goes_on(master, tmp_path):
    busy = CheckpointSync(master.proxy, master.storage.token, tmp_path / "local", interval=0.05)
    with busy.trial(TRIAL, ELSEWHERE) as directory:
        path = write(directory, "epoch-00001.npz", b"one")
        path.with_name(".epoch-00002.npz.7").write_bytes(b"half")
        soon(lambda: master.files() == {"epoch-00001.npz": b"one"})
        path.with_name("epoch-00002.npz").write_bytes(b"two")
        path.unlink()
        soon(lambda: master.files() == {"epoch-00002.npz": b"two"})
        rounds = len(master.storage.calls)
        write(directory, "log.txt", b"more")
        soon(lambda: "log.txt" in master.files())
        assert master.did("keep") == ["epoch-00001.npz", "epoch-00002.npz", "log.txt"]
        assert len(master.storage.calls) == rounds + 2  # unchanged files cost no call
    assert master.did("keep") == ["epoch-00001.npz", "epoch-00002.npz", "log.txt"]


def test_the_comparison_brings_its_artefacts(master, synced):
    write(master.run_dir, "validation.npz", b"seen", folder="comparison")
    with synced.trial((-1, 1, 2), ELSEWHERE) as directory:
        write(directory, "epoch-00007.npz", b"state", folder="checkpoints/-1-1-2")
        write(directory, "validation.npz", b"seen", folder="comparison")
        write(directory, "model.keras", b"model", folder="comparison/incumbent-2")
        write(directory, "model.keras", b"not mine", folder="comparison/default-2")
        write(directory, "notes.txt", b"not mine", folder="elsewhere")
    assert synced.complaint == ""
    assert master.files("checkpoints/-1-1-2") == {"epoch-00007.npz": b"state"}
    assert master.files("comparison") == {"validation.npz": b"seen"}
    assert master.files("comparison/incumbent-2") == {"model.keras": b"model"}
    assert not (master.run_dir / "comparison" / "default-2").exists()
    assert master.did("keep") == ["epoch-00007.npz", "model.keras"]


def test_a_bit_that_flips_on_the_wire_is_sent_again(master, synced):
    three, five = os.urandom(2_500_000), os.urandom(100)
    write(master.run_dir, "epoch-00003.npz", three)
    master.storage.flips = 2
    with synced.trial(TRIAL, ELSEWHERE) as directory:
        assert master.storage.flips == 0
        assert (Path(directory) / FOLDER / "epoch-00003.npz").read_bytes() == three
        write(directory, "epoch-00005.npz", five)
        master.storage.flips = 2
    assert master.storage.flips == 0
    assert master.files() == {"epoch-00005.npz": five}
    assert synced.complaint == ""


def test_a_damaged_checkpoint_does_not_take_the_place_of_a_whole_one(master, tmp_path):
    hasty = CheckpointSync(master.proxy, master.storage.token, tmp_path / "local", patience=2)
    write(master.run_dir, "epoch-00003.npz", b"three")
    with hasty.trial(TRIAL, ELSEWHERE) as directory:
        path = Path(directory) / FOLDER / "epoch-00005.npz"
        write_whole(path, lambda file: (file.write(b"five"), seal(file)))
        path.write_bytes(b"fife" + path.read_bytes()[4:])
    assert master.files() == {"epoch-00003.npz": b"three"}
    assert "its bits are not those that were written" in hasty.complaint


# --- how it ends ------------------------------------------------------------------------------


class Leave(BaseException):
    """What a worker that was told to go raises."""


@pytest.mark.parametrize("error", [Leave, ValueError, SystemExit])
def test_what_was_done_is_pushed_whatever_ends_the_work(master, synced, error):
    with pytest.raises(error), synced.trial(TRIAL, ELSEWHERE) as directory:  # noqa: PT012
        write(directory, "epoch-00004.npz", b"four")
        raise error
    assert master.files() == {"epoch-00004.npz": b"four"}
    assert synced.complaint == ""


def refused():
    raise OSError("the nameserver does not answer")


def test_a_leave_does_not_wait_long_for_a_master_that_is_away(master, tmp_path, monkeypatch):
    """With the patience of a result this would run into the test's own limit."""
    monkeypatch.setattr(checkpoint_sync, "FAREWELL", 0.3)
    answers = iter([master.proxy])
    lonely = CheckpointSync(
        lambda: next(answers, refused)(), master.storage.token, tmp_path / "local"
    )
    with pytest.raises(Leave), lonely.trial(TRIAL, ELSEWHERE) as directory:  # noqa: PT012
        write(directory, "epoch-00004.npz", b"four")
        raise Leave
    assert lonely.complaint == (
        "not all files are at the master (there was no more time than 0.3 s),"
        " so another worker may have to start again"
    )
    assert files_below(directory) == {f"{FOLDER}/epoch-00004.npz"}


def test_a_worker_told_to_go_while_it_waits_for_the_master_goes(master, tmp_path, monkeypatch):
    """The signal comes while the main thread waits for the last push."""
    monkeypatch.setattr(checkpoint_sync, "FAREWELL", 0.3)
    calls = []

    def storage():
        calls.append(None)
        if len(calls) == 1:
            return master.proxy()
        if len(calls) == 3:
            os.kill(os.getpid(), signal.SIGUSR1)
        return refused()

    def leave(*_):
        raise Leave

    before = signal.signal(signal.SIGUSR1, leave)
    lonely = CheckpointSync(storage, master.storage.token, tmp_path / "local")
    try:
        with pytest.raises(Leave), lonely.trial(TRIAL, ELSEWHERE) as directory:
            write(directory, "epoch-00004.npz", b"four")
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert "no more time" in lonely.complaint


# --- the network ------------------------------------------------------------------------------


def test_a_master_that_restarts_elsewhere_gets_the_rest(master, tmp_path):
    asked = []

    def storage():
        asked.append(None)
        if len(asked) == 4:
            master.start()
        return master.proxy()

    faithful = CheckpointSync(storage, master.storage.token, tmp_path / "local", patience=LONG)
    with faithful.trial(TRIAL, ELSEWHERE) as directory:
        write(directory, "epoch-00004.npz", b"four" * 1_000_000)
        master.stop()
    assert len(asked) >= 4
    assert master.files() == {"epoch-00004.npz": b"four" * 1_000_000}
    assert faithful.complaint == ""


def test_an_upload_the_master_forgot_begins_again(master, synced, monkeypatch):
    """The master restarts between two pieces: what it had of the file is not gone on with."""
    store, forgotten = Recording.store, []

    def forgetful(self, folder, name, offset, data, uploader):
        if offset and not forgotten:
            forgotten.append(offset)
            self._uploads = Uploads(self._folders)
        return store(self, folder, name, offset, data, uploader)

    monkeypatch.setattr(Recording, "store", Pyro4.expose(forgetful), raising=True)
    content = os.urandom(3_000_000)
    with synced.trial(TRIAL, ELSEWHERE) as directory:
        write(directory, "epoch-00004.npz", content)
    assert forgotten == [checkpoint_names.PIECE_BYTES]
    assert master.files()["epoch-00004.npz"] == content
    assert synced.complaint == ""


def test_an_absent_master_is_a_complaint_not_an_error(master, tmp_path):
    lonely = CheckpointSync(refused, master.storage.token, tmp_path / "local", patience=0.5)
    with lonely.trial(TRIAL, ELSEWHERE) as directory:
        write(directory, "epoch-00001.npz", b"one")
    assert lonely.complaint == (
        "the checkpoint could not be brought from the master (the nameserver does not answer),"
        " so training began without it; not all files are at the master"
        " (the nameserver does not answer), so another worker may have to start again"
    )
    lonely._connect = master.proxy
    with lonely.trial(TRIAL, ELSEWHERE):
        assert files_below(directory) == {f"{FOLDER}/epoch-00001.npz"}
    assert (lonely.complaint, files_below(directory)) == ("", set())
    assert master.files() == {"epoch-00001.npz": b"one"}


@pytest.mark.parametrize(
    "answer",
    [
        {"../../evil": [4, EVIL_SHA256]},
        {"HERE/evil": [4, EVIL_SHA256]},
        {".evil": [4, EVIL_SHA256]},
        {"epoch-00001.npz": [5, EVIL_SHA256]},
        {"epoch-00001.npz": [4, "0" * 64]},
        {"epoch-00001.npz": None},
        {"epoch-00001.npz": [5]},
    ],
)
def test_a_wrong_file_is_not_taken(master, tmp_path, monkeypatch, answer):
    """Nor waited for as long as for a master that is away: that would outlast the test's limit."""
    monkeypatch.setattr(storage_calls, "REFUSED", 0.3 / storage_calls.PATIENCE)
    wary = CheckpointSync(master.proxy, master.storage.token, tmp_path / "local")
    write(master.run_dir, "epoch-00001.npz", b"bytes")
    answer = {name.replace("HERE", str(tmp_path)): facts for name, facts in answer.items()}
    master.storage._answer = answer
    with wary.trial(TRIAL, ELSEWHERE) as directory:
        # Either nothing, or the other file that is whole.
        assert files_below(directory) <= {f"{FOLDER}/epoch-00001.npz"} - {
            f"{FOLDER}/{name}" for name in answer
        }
        master.storage._answer = {}
    assert wary.complaint.startswith("the checkpoint could not be brought from the master (")
    assert "\n" not in wary.complaint
    assert files_below(tmp_path / "local" / master.storage.token) == {"0/.lock"}
    assert not (tmp_path / "evil").exists()


def test_a_full_disk_at_the_master_is_a_complaint(tmp_path):
    run_dir = tmp_path / "small"
    run_dir.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(run_dir)]
    with contextlib.suppress(OSError):
        if subprocess.run(command, capture_output=True, check=False).returncode == 0:
            break_full(run_dir, tmp_path / "local")
            return
    pytest.skip("mounting a small tmpfs needs root")


def break_full(run_dir, local):
    try:
        master = Master(run_dir)
        hopeful = CheckpointSync(master.proxy, master.storage.token, local, patience=5)
        with hopeful.trial(TRIAL, ELSEWHERE) as directory:
            write(directory, "epoch-00001.npz", bytes(4_000_000))
        assert hopeful.complaint == (
            f"not all files are at the master ({FOLDER}/epoch-00001.npz cannot be written at the"
            " master: No space left but what the journal needs), so another worker may have to"
            " start again"
        )
        assert list((run_dir / FOLDER).iterdir()) == []
        master.stop()
    finally:
        subprocess.run(["umount", "--lazy", str(run_dir)], check=True)


# --- where ------------------------------------------------------------------------------------


def test_shared_storage_is_recognised(master, tmp_path):
    here = CheckpointSync(refused, master.storage.token, tmp_path / "local")
    with here.trial(TRIAL, str(master.run_dir)) as directory:
        assert directory == str(master.run_dir)
        write(directory, "epoch-00001.npz", b"one")
    assert (here.complaint, (tmp_path / "local").exists()) == ("", False)
    assert master.files() == {"epoch-00001.npz": b"one"}


def test_a_folder_of_the_same_name_is_not_shared_storage(master, synced, tmp_path):
    (tmp_path / "local").mkdir()
    other = CheckpointStore(tmp_path / "local")
    assert other.token != master.storage.token
    with synced.trial(TRIAL, str(tmp_path / "local")) as directory:
        assert directory != str(tmp_path / "local")


def test_a_stock_master_has_no_storage(tmp_path):
    where = tmp_path / "where"
    with CheckpointSync(refused, "", tmp_path / "local").trial(TRIAL, str(where)) as directory:
        assert directory == str(where)
        assert list(where.iterdir()) == [where / "checkpoints"]


@pytest.mark.parametrize("token", ["..", "../" + "0" * 32, "0" * 31, "0" * 32 + "\n", "/"])
def test_a_token_that_is_none_is_refused(tmp_path, token):
    with pytest.raises(ValueError, match="is no token of a run"):
        CheckpointSync(refused, token, tmp_path)


def test_workers_of_one_machine_keep_out_of_each_others_way(master, tmp_path):
    """A worker that was killed leaves its folder to the next one."""
    script = (
        "import sys, pathlib; from bohb_seg.worker.checkpoint_sync import CheckpointSync\n"
        "def storage(): raise OSError('away')\n"
        "mirror = CheckpointSync(storage, sys.argv[1], pathlib.Path(sys.argv[2]), patience=0)\n"
        "with mirror.trial((0, 0, 1), '/nonexistent') as directory:\n"
        "    print(directory, flush=True); sys.stdin.read()\n"
    )
    local, token = tmp_path / "local", master.storage.token
    command = [sys.executable, "-c", script, token, str(local)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        theirs = other.stdout.readline().strip()
        first = CheckpointSync(master.proxy, token, local)
        with first.trial(TRIAL, ELSEWHERE) as mine:
            pass
        other.kill()
        other.wait(LONG)
    second = CheckpointSync(master.proxy, token, local)
    with second.trial(TRIAL, ELSEWHERE) as inherited:
        pass
    assert [theirs, mine, inherited] == [str(local / token / n) for n in "010"]


def test_a_file_system_without_locks_will_do(master, tmp_path, monkeypatch):
    def unsupported(*_):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(local_copies.fcntl, "flock", unsupported)
    workers = [
        CheckpointSync(master.proxy, master.storage.token, tmp_path / "local") for _ in range(2)
    ]
    with workers[0].trial(TRIAL, ELSEWHERE) as one, workers[1].trial(TRIAL, ELSEWHERE) as other:
        assert one != other
        write(one, "epoch-00001.npz", b"one")
    assert master.files() == {"epoch-00001.npz": b"one"}
