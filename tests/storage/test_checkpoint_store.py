"""The master's storage over real Pyro4 on loopback: nothing half, nothing outside, no more room."""

import contextlib
import hashlib
import os
import secrets
import string
import subprocess
import tempfile
import threading
from pathlib import Path

import Pyro4
import pytest
import serpent
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bohb_seg.errors import SettingsError
from bohb_seg.rpc import checkpoint_names, pyro
from bohb_seg.storage import uploads
from bohb_seg.storage.checkpoint_store import CheckpointStore
from bohb_seg.storage.run_folders import RunFolders
from bohb_seg.storage.uploads import UploadKey, Uploads, _Upload

FOLDER, NAME = "checkpoints/0-1-2", "epoch-00003.npz"
ANN, BOB = "a" * 32, "b" * 32


@contextlib.contextmanager
def served(run_dir):
    """A real daemon in a thread; yields a function that makes proxies."""
    pyro.set_up_pyro()
    daemon = Pyro4.Daemon(host="127.0.0.1")
    uri = str(daemon.register(CheckpointStore(run_dir), "storage"))
    thread = threading.Thread(target=daemon.requestLoop, daemon=True)
    thread.start()
    try:
        yield lambda: pyro.proxy(uri, 10)
    finally:
        daemon.shutdown()
        thread.join(10)


@pytest.fixture
def remote(tmp_path):
    with served(tmp_path) as proxies, proxies() as proxy:
        yield proxy


def sent(remote, content, folder=FOLDER, name=NAME, uploader=ANN):
    for offset in range(0, max(1, len(content)), checkpoint_names.PIECE_BYTES):
        remote.store(
            folder, name, offset, content[offset : offset + checkpoint_names.PIECE_BYTES], uploader
        )


def put(remote, content, folder=FOLDER, name=NAME, uploader=ANN):
    sent(remote, content, folder, name, uploader)
    sha256 = hashlib.sha256(content).hexdigest()
    return remote.keep(folder, name, len(content), sha256, uploader)


def got(remote, folder=FOLDER, name=NAME):
    content = b""
    while piece := serpent.tobytes(remote.fetch(folder, name, len(content))):
        content += piece
    return content


def tree(directory):
    return {
        str(path.relative_to(directory)): path.read_bytes() if path.is_file() else None
        for path in directory.rglob("*")
        if path.name != ".token"
    }


# --- there and back ---------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, checkpoint_names.PIECE_BYTES, 5_000_000])
def test_a_file_goes_there_and_back(remote, tmp_path, size):
    content = os.urandom(size)
    assert put(remote, content) is True
    assert got(remote) == content
    assert remote.stored(FOLDER) == {NAME: [size, hashlib.sha256(content).hexdigest()]}
    assert tree(tmp_path) == {"checkpoints": None, FOLDER: None, f"{FOLDER}/{NAME}": content}


def test_what_local_workers_write_is_stored_too(remote, tmp_path):
    """Also when they replace it; hidden files, links and folders are not."""
    path = tmp_path / FOLDER / NAME
    path.parent.mkdir(parents=True)
    (path.parent / ".hidden").write_bytes(b"half")
    (path.parent / "folder").mkdir()
    (path.parent / "link").symlink_to(path)
    for content in (b"one", b"two", b"3"):
        temporary = path.with_name(".new")
        temporary.write_bytes(content)
        temporary.replace(path)
        assert remote.stored(FOLDER) == {NAME: [len(content), hashlib.sha256(content).hexdigest()]}


def test_no_folder_holds_no_files(remote):
    assert remote.stored(FOLDER) == {}
    with pytest.raises(OSError, match=f"{FOLDER}/{NAME} cannot be read at the master: No such"):
        remote.fetch(FOLDER, NAME, 0)


def test_only_checkpoints_of_fewer_epochs_are_replaced(remote):
    names = ["epoch-00002.npz", "epoch-00010.npz", "history.json", "epoch-1.txt"]
    for name in names:
        put(remote, b"x", name=name)
    put(remote, b"x", folder="checkpoints/0-1-3", name="epoch-00001.npz")
    assert set(remote.stored(FOLDER)) == {*names} - {"epoch-00002.npz"}
    put(remote, b"x", name="epoch-00009.npz")  # a late worker
    assert set(remote.stored(FOLDER)) == {*names, "epoch-00009.npz"} - {"epoch-00002.npz"}
    put(remote, b"x", name="epoch-00011.npz")
    assert set(remote.stored(FOLDER)) == {"history.json", "epoch-1.txt", "epoch-00011.npz"}
    assert set(remote.stored("checkpoints/0-1-3")) == {"epoch-00001.npz"}


# --- nothing half -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "sha256"),
    [(3, "0" * 64), (4, hashlib.sha256(b"abc").hexdigest()), (3, ""), (None, None), ("3", 1)],
)
def test_other_bytes_than_announced_are_refused(remote, tmp_path, size, sha256):
    put(remote, b"good")
    sent(remote, b"abc")
    with pytest.raises(ValueError, match="not those announced"):
        remote.keep(FOLDER, NAME, size, sha256, ANN)
    assert tree(tmp_path) == {"checkpoints": None, FOLDER: None, f"{FOLDER}/{NAME}": b"good"}


def test_pieces_must_follow_one_another(remote):
    remote.store(FOLDER, NAME, 0, b"abc", ANN)
    for offset in (2, 4):
        with pytest.raises(ValueError, match="3 bytes are here; begin again"):
            remote.store(FOLDER, NAME, offset, b"x", ANN)
    with pytest.raises(ValueError, match=r"no upload .* is under way"):
        remote.store(FOLDER, NAME, 3, b"x", BOB)
    assert put(remote, b"again") is True
    assert got(remote) == b"again"


def test_an_upload_is_not_visible_before_it_is_kept(remote):
    sent(remote, b"abc")
    assert remote.stored(FOLDER) == {}
    with pytest.raises(OSError, match="cannot be read"):
        remote.fetch(FOLDER, NAME, 0)


def test_an_abandoned_upload_leaves_nothing(remote, tmp_path, monkeypatch):
    sent(remote, b"first")
    monkeypatch.setattr(uploads, "ABANDONED_AFTER", 0.0)
    put(remote, b"other", folder="checkpoints/0-0-9", uploader=BOB)
    assert tree(tmp_path / "checkpoints") == {
        "0-1-2": None,
        "0-0-9": None,
        f"0-0-9/{NAME}": b"other",
    }
    with pytest.raises(ValueError, match="no upload"):
        remote.keep(FOLDER, NAME, 5, hashlib.sha256(b"first").hexdigest(), ANN)


def test_there_are_few_uploads_at_a_time(remote, tmp_path, monkeypatch):
    monkeypatch.setattr(uploads, "MAX_UPLOADS", 2)
    uploaders = [secrets.token_hex(16) for _ in range(3)]
    for uploader in uploaders[:2]:
        sent(remote, b"abc", uploader=uploader)
    with pytest.raises(ValueError, match="2 other uploads are under way; try again later"):
        sent(remote, b"abc", uploader=uploaders[2])
    sent(remote, b"abc", uploader=uploaders[0])  # begins again
    assert len(list((tmp_path / FOLDER).iterdir())) == 2
    remote.keep(FOLDER, NAME, 3, hashlib.sha256(b"abc").hexdigest(), uploaders[1])
    assert put(remote, b"third", uploader=uploaders[2]) is True


def begin(store, party, number=0, folder=FOLDER):
    key = UploadKey(folder, NAME, f"{party}-{number}", party)
    store.append(key, 0, b"x")
    return key


def test_whoever_takes_all_uploads_takes_them_from_nobody(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    under_way = Uploads(RunFolders(tmp_path))
    flood = [begin(under_way, "evil", number) for number in range(uploads.MAX_UPLOADS)]
    with pytest.raises(ValueError, match="32 other uploads are under way"):
        begin(under_way, "evil", "more")
    others = [begin(under_way, party, folder="checkpoints/0-0-9") for party in ("a", "b", "c")]
    assert len(list((tmp_path / FOLDER).iterdir())) == uploads.MAX_UPLOADS - 3
    for key in flood[:3]:
        with pytest.raises(ValueError, match="no upload"):
            under_way.append(key, 1, b"y")
    for key in (*others, *flood[3:]):
        under_way.append(key, 1, b"y")
    with pytest.raises(ValueError, match="32 other uploads are under way"):
        begin(under_way, "evil", "again")


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from("abcd"), max_size=30))
def test_nobody_loses_one_of_his_few_uploads(parties):
    """Four parties share eight uploads: two of each stay, whatever the others do."""
    with tempfile.TemporaryDirectory() as base, pytest.MonkeyPatch.context() as patch:
        patch.setattr(uploads, "MAX_UPLOADS", 8)
        Path(base, "checkpoints").mkdir()
        under_way, begun = Uploads(RunFolders(Path(base))), {}
        for number, party in enumerate(parties):
            own = begun.setdefault(party, [])
            if len(own) < 2 or party == "a":
                own.append(key := UploadKey(FOLDER, NAME, str(number), party))
                with contextlib.suppress(ValueError) if party == "a" else contextlib.nullcontext():
                    under_way.append(key, 0, b"x")
        for key in (key for party in "bcd" for key in begun.get(party, [])):
            under_way.append(key, 1, b"y")


def test_a_slow_upload_is_as_one_that_is_abandoned():
    minute = uploads.ABANDONED_AFTER
    for size, begun, touched, now, is_over in [
        (1, 0.0, 0.0, minute, False),
        (1, 0.0, 0.0, minute + 1, True),
        (200, 0.0, 199 * minute, 199 * minute, True),  # a byte now and then
        (10**9, 0.0, 10_000.0, 10_000.0, False),  # 100 kB/s
        (10**9, 0.0, 10_000.0, 10_061.0, True),
    ]:
        upload = _Upload(size=size, begun=begun, touched=touched)
        assert upload.is_over(now) == is_over, (size, now)


def test_a_trial_has_so_many_bytes_and_no_more(tmp_path):
    store = CheckpointStore(tmp_path, gigabytes=0.005)
    assert put(store, bytes(2_000_000), name="epoch-00001.npz")
    assert put(store, bytes(2_500_000), name="epoch-00002.npz")  # in place of the last
    with pytest.raises(OSError, match=r"written at the master: .* the 0.005 GB of --trial-gb"):
        put(store, bytes(3_000_000), name="epoch-00003.npz")
    kept = tree(tmp_path / FOLDER)
    assert {name: len(content) for name, content in kept.items()} == {"epoch-00002.npz": 2_500_000}
    assert put(store, bytes(2_400_000), name="epoch-00004.npz")
    assert put(store, bytes(5_000_000), folder="checkpoints/0-0-9")


def test_unfinished_uploads_count(tmp_path):
    store = CheckpointStore(tmp_path, gigabytes=0.002)
    for uploader in (ANN, BOB):
        store.store(FOLDER, NAME, 0, bytes(900_000), uploader)
    with pytest.raises(OSError, match="--trial-gb"):
        store.store(FOLDER, NAME, 900_000, bytes(900_000), ANN)
    store.store(FOLDER, NAME, 900_000, bytes(900_000), BOB)


def test_a_trial_has_few_files(tmp_path):
    store = CheckpointStore(tmp_path)
    for number in range(uploads.MAX_FILES):
        put(store, b"", name=f"file-{number}")
    with pytest.raises(OSError, match="its trial has 100 files already"):
        put(store, b"", name="one-more")
    assert len(tree(tmp_path / FOLDER)) == uploads.MAX_FILES


def test_a_trial_discarded_during_an_upload_is_an_error_not_a_file(remote, tmp_path):
    sent(remote, b"abc")
    for path in (tmp_path / FOLDER).iterdir():
        path.unlink()
    (tmp_path / FOLDER).rmdir()
    with pytest.raises(OSError, match="cannot be written at the master: No such file"):
        remote.keep(FOLDER, NAME, 3, hashlib.sha256(b"abc").hexdigest(), ANN)
    assert tree(tmp_path) == {"checkpoints": None}
    assert put(remote, b"abc") is True


def test_two_uploaders_of_one_file(tmp_path):
    contents = {ANN: os.urandom(5_000_000), BOB: os.urandom(4_000_000)}
    start, kept = threading.Barrier(2), []

    def upload(proxies, uploader):
        with proxies() as remote:
            start.wait(10)
            kept.append(put(remote, contents[uploader], uploader=uploader))

    with served(tmp_path) as proxies:
        threads = [threading.Thread(target=upload, args=(proxies, name)) for name in contents]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        with proxies() as remote:
            assert kept == [True, True]
            assert got(remote) in contents.values()
    assert [path.name for path in (tmp_path / FOLDER).iterdir()] == [NAME]


def test_calls_from_many_threads_keep_their_own(tmp_path):
    """Directly, without a daemon that might put the calls in a row."""
    store = CheckpointStore(tmp_path)
    contents = {f"part-{number}.bin": os.urandom(100_000) for number in range(8)}

    def upload(name):
        uploader = secrets.token_hex(16)
        for offset in range(0, 100_000, 1_000):
            store.store(FOLDER, name, offset, contents[name][offset : offset + 1_000], uploader)
        sha256 = hashlib.sha256(contents[name]).hexdigest()
        store.keep(FOLDER, name, 100_000, sha256, uploader)

    threads = [threading.Thread(target=upload, args=(name,)) for name in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert tree(tmp_path / FOLDER) == contents


# --- nothing outside --------------------------------------------------------------------------

SECRET = b"nobody may read this"
WAYS = st.sampled_from(
    [
        *("..", ".", "", "/", "checkpoints", "comparison", "0-1-2", "0-0-7", "-1-0-0", "link"),
        *("default-0", ".token", "journal.jsonl", "outside", "secret", "\0", "\n", "~", "٣-٣-٣"),
        *("a" * 101, "0-0-8", "sub"),
    ]
)
PATHS = st.lists(WAYS, max_size=5).map("/".join) | st.text(max_size=12) | WAYS
NAMES = PATHS | st.from_regex(r"[a-z][a-z0-9.-]{0,5}", fullmatch=True)


def traps(base):
    """A run directory with links that lead out of it, and what lies outside."""
    run_dir, outside = base / "run", base / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(SECRET)
    for trial in ("0-1-2", "0-0-8"):
        (run_dir / "checkpoints" / trial).mkdir(parents=True)
    (run_dir / "journal.jsonl").write_bytes(SECRET)
    (run_dir / "checkpoints" / "secret").write_bytes(SECRET)
    (run_dir / "checkpoints" / "0-0-7").symlink_to(outside)
    (run_dir / "checkpoints" / "0-0-8" / "secret").symlink_to(outside / "secret")
    (run_dir / "checkpoints" / "0-0-8" / "journal.jsonl").symlink_to("../../journal.jsonl")
    (run_dir / "checkpoints" / "0-1-2" / "sub").mkdir()
    (run_dir / "comparison").mkdir()
    (run_dir / "comparison" / "default-0").symlink_to(outside)
    return run_dir


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(folder=PATHS, name=NAMES)
@example(folder="checkpoints/0-1-2", name="../../journal.jsonl")
@example(folder="checkpoints/0-1-2", name="sub/../../../journal.jsonl")
@example(folder="checkpoints/0-1-2", name="sub/new")
@example(folder="checkpoints/..", name="journal.jsonl")
@example(folder="checkpoints/0-1-2/../..", name="journal.jsonl")
@example(folder="checkpoints/0-0-7", name="secret")
@example(folder="checkpoints/0-0-7", name="new")
@example(folder="comparison/default-0", name="secret")
@example(folder="comparison/default-0", name="new")
@example(folder="comparison", name="default-7")
@example(folder="checkpoints/0-0-8", name="secret")
@example(folder="checkpoints/0-0-8", name="journal.jsonl")
@example(folder="checkpoints", name="secret")
@example(folder="checkpoints", name=".token")
@example(folder="checkpoints/0-1-2\n", name="x")
@example(folder="checkpoints/0-1-2", name="x\n")
@example(folder="", name="journal.jsonl")
def test_no_name_leads_out(folder, name):
    with tempfile.TemporaryDirectory() as base:
        run_dir = traps(Path(base))
        store = CheckpointStore(run_dir)
        before = tree(Path(base))
        for read in (lambda: store.fetch(folder, name, 0), lambda: store.stored(folder)):
            with contextlib.suppress(ValueError, OSError):
                assert read() in (b"", {})
        with contextlib.suppress(ValueError, OSError):
            put(store, b"stranger", folder, name)
        new = {path: content for path, content in tree(Path(base)).items() if path not in before}
        written = [path for path, content in new.items() if content is not None]
        if written:
            assert written == [f"run/{folder}/{name}"]
            assert set(name) <= set(string.ascii_letters + string.digits + "._-")
            assert Path(base, written[0]).resolve().is_relative_to(run_dir.resolve())
            assert folder.split("/")[0] in ("checkpoints", "comparison")
        changed = {path for path, content in before.items() if tree(Path(base))[path] != content}
        # A link may be replaced by a file; what it points to is not written.
        assert changed <= {f"run/{folder}/{name}"}
        assert (Path(base) / "outside" / "secret").read_bytes() == SECRET
        assert (run_dir / "journal.jsonl").read_bytes() == SECRET


def test_a_file_cannot_take_the_name_of_a_folder(remote, tmp_path):
    with pytest.raises(ValueError, match="'default-0' is no name of a file"):
        remote.store("comparison", "default-0", 0, b"x", ANN)
    assert not (tmp_path / "comparison").exists()


anything = st.none() | st.integers() | st.floats() | st.text(max_size=3) | st.binary(max_size=3)


@settings(max_examples=150, deadline=None)
@given(arguments=st.lists(anything | st.lists(anything, max_size=2), min_size=3, max_size=5))
def test_arguments_of_any_kind_are_refused_in_a_sentence(arguments):
    with tempfile.TemporaryDirectory() as base:
        store = CheckpointStore(Path(base))
        before = tree(Path(base))
        with pytest.raises(ValueError):
            store.fetch(*arguments[:3])
        with pytest.raises(ValueError):
            store.stored(arguments[0])
        for method in (store.store, store.keep):
            with pytest.raises(ValueError):
                method(*(arguments * 2)[:5])
        assert tree(Path(base)) == before


@pytest.mark.parametrize(
    ("offset", "data", "uploader"),
    [
        *[
            (offset, b"x", ANN)
            for offset in (-1, True, 1.0, "0", 2**70, checkpoint_names.MAX_FILE_BYTES)
        ],
        *[(0, data, ANN) for data in (None, "x", 1, [1], {"data": "x"}, {"data": 1})],
        *[(0, {"data": data, "encoding": "base64"}, ANN) for data in (1, "ä", "abcde", None)],
        (0, bytes(checkpoint_names.PIECE_BYTES + 1), ANN),
        *[(0, b"x", uploader) for uploader in ("", "../" + ANN, ANN.upper(), 1, ANN + "\n")],
    ],
)
def test_what_is_no_piece_is_refused(tmp_path, offset, data, uploader):
    store = CheckpointStore(tmp_path)
    before = tree(tmp_path)
    with pytest.raises(ValueError) as refusal:
        store.store(FOLDER, NAME, offset, data, uploader)
    assert "\n" not in str(refusal.value)
    assert tree(tmp_path) == before


# --- no more room -----------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path):
    """A run directory on a tmpfs of three megabytes."""
    path = tmp_path / "small"
    path.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(path)]
    try:
        mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        pytest.skip(f"mounting a small tmpfs needs mount: {error}")
    if mounted.returncode:
        pytest.skip(f"mounting a small tmpfs needs root: {mounted.stderr.strip()}")
    yield path
    subprocess.run(["umount", "--lazy", str(path)], check=True)


def test_a_full_disk_is_told_and_nothing_is_left(small_disk, caplog):
    with served(small_disk) as proxies, proxies() as remote:
        free = os.statvfs(small_disk).f_bavail
        with pytest.raises(
            OSError, match=f"{FOLDER}/{NAME} cannot be written at the master: No space left"
        ):
            put(remote, bytes(5_000_000))
        assert "No space left" in caplog.text
        assert tree(small_disk) == {"checkpoints": None, FOLDER: None}
        assert os.statvfs(small_disk).f_bavail >= free - 2  # the folder itself
        assert put(remote, bytes(1_000_000)) is True


def test_uploads_leave_room_for_the_journal(small_disk):
    store, free = CheckpointStore(small_disk), []

    def fill():
        for offset in range(0, 4_000_000, 50_000):
            store.store(FOLDER, NAME, offset, bytes(50_000), ANN)
            disk = os.statvfs(small_disk)
            free.append(disk.f_bavail * disk.f_frsize)

    with pytest.raises(OSError, match="No space left but what the journal needs"):
        fill()
    assert 50_000 < min(free) < 200_000
    assert tree(small_disk / FOLDER) == {}


def test_a_token_that_cannot_be_written_is_a_setting_to_change(small_disk):
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(SettingsError, match=r"cannot be written: Read-only .*; choose another"):
        CheckpointStore(small_disk)


# --- the token --------------------------------------------------------------------------------


def test_the_token_lies_in_the_checkpoints_and_outlives_the_master(tmp_path):
    token = CheckpointStore(tmp_path).token
    assert (tmp_path / "checkpoints" / ".token").read_text() == token + "\n"
    assert checkpoint_names.is_token(token)
    assert CheckpointStore(tmp_path).token == token
    (tmp_path / "checkpoints" / ".token").write_text(token[:7])
    again = CheckpointStore(tmp_path).token
    assert checkpoint_names.is_token(again)
    assert (tmp_path / "checkpoints" / ".token").read_text() == again + "\n"


def test_only_the_four_methods_are_remote(remote):
    assert remote._pyroMethods | remote._pyroAttrs == set()  # not connected yet
    remote._pyroBind()
    assert remote._pyroMethods == {"stored", "fetch", "store", "keep"}
    assert remote._pyroAttrs == set()
