"""A file or folder is whole or not there, whatever happens to the process that writes it."""

import contextlib
import errno
import io
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bohb_seg import files
from bohb_seg.files import (
    is_unfinished,
    publish,
    read_regular,
    whole_file,
    whole_folder,
    write_whole,
)
from bohb_seg.files.integrity import check_archive, check_parts


class Stop(BaseException):
    """As a signal's handler raises it, in the middle of anything."""


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def finished(folder):
    """The names that nobody takes for something unfinished."""
    return [name for name in names(folder) if not is_unfinished(name)]


# --- a file -----------------------------------------------------------------------------------


def in_pieces(file):
    file.write(b"in")
    file.write(b" pieces")


@pytest.mark.parametrize("durable", [True, False])
def test_a_folder_that_must_be_there_is_not_made(tmp_path, durable):
    run_dir = tmp_path / "run"
    for path in (run_dir / "file", run_dir / "new" / "folder" / "file"):
        with pytest.raises(FileNotFoundError):
            write_whole(path, b"", durable=durable, within=run_dir)
    assert names(tmp_path) == []
    run_dir.mkdir()
    write_whole(run_dir / "new" / "folder" / "file", b"", durable=durable, within=run_dir)
    assert names(run_dir / "new" / "folder") == ["file"]


@pytest.mark.parametrize("durable", [True, False])
@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"\xff bytes", b"\xff bytes"),
        ("a täxt", "a täxt".encode()),
        (in_pieces, b"in pieces"),
    ],
)
def test_any_content_is_written_below_new_folders(tmp_path, content, expected, durable):
    path = tmp_path / "new" / "folder" / "file.txt"
    write_whole(path, content, durable=durable)
    assert path.read_bytes() == expected
    assert names(path.parent) == ["file.txt"]


@settings(deadline=None)  # a disk takes its time
@given(st.lists(st.tuples(st.binary(max_size=64), st.booleans(), st.booleans()), max_size=8))
def test_the_file_is_that_of_the_last_write_that_did_not_fail(tmp_path_factory, writes):
    folder = tmp_path_factory.mktemp("files")
    path, expected = folder / "file", None
    for content, fails, durable in writes:

        def write(file, content=content, fails=fails):
            file.write(content)
            if fails:
                raise Stop

        try:
            write_whole(path, write, durable=durable)
        except Stop:
            assert fails
        else:
            expected = content
        assert (path.read_bytes() if path.exists() else None) == expected
        assert names(folder) == (["file"] if expected is not None else [])


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_disk_that_fails_at_the_last_moment_leaves_the_old_file(tmp_path, monkeypatch, step):
    def fail(*_, **__):
        raise OSError(errno.EIO, "Input/output error")

    write_whole(tmp_path / "file", b"old")
    monkeypatch.setattr(os, step, fail)
    with pytest.raises(OSError, match="Input/output error"):
        write_whole(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"old"
    assert names(tmp_path) == ["file"]


def test_content_and_name_are_on_disk_in_this_order(tmp_path, monkeypatch):
    """A crash of the machine in between leaves the old file, never half of the new one."""
    steps = []

    def record(name):
        real = getattr(os, name)

        def call(first, *rest, **keywords):
            kind = stat.S_IFMT(os.fstat(first).st_mode) if isinstance(first, int) else None
            steps.append((name, kind))
            return real(first, *rest, **keywords)

        monkeypatch.setattr(os, name, call)

    record("fsync"), record("replace")
    write_whole(tmp_path / "file", b"new")
    assert steps == [("fsync", stat.S_IFREG), ("replace", None), ("fsync", stat.S_IFDIR)]
    steps.clear()
    write_whole(tmp_path / "file", b"new", durable=False)
    assert steps == [("replace", None)]


@pytest.mark.parametrize(("number", "fine"), [(errno.EINVAL, True), (errno.EIO, False)])
def test_a_file_system_that_cannot_sync_folders_is_no_failure(tmp_path, monkeypatch, number, fine):
    fsync = os.fsync

    def only_files(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(number, os.strerror(number))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", only_files)
    if fine:
        write_whole(tmp_path / "file", b"new")
    else:
        with pytest.raises(OSError, match=os.strerror(number)):
            write_whole(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"new"


def test_two_writers_of_one_file_do_not_meet(tmp_path):
    """As in containers, where every process has the id 1."""

    def write(file):
        file.write(b"outer")
        write_whole(tmp_path / "file", lambda other: other.write(b"inner"))
        assert (tmp_path / "file").read_bytes() == b"inner"

    write_whole(tmp_path / "file", write)
    assert (tmp_path / "file").read_bytes() == b"outer"
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize(("mode", "expected"), [(0o600, 0o600), (0o644, 0o640), (0o666, 0o640)])
def test_permissions_hold_from_the_first_moment_on(tmp_path, mode, expected):
    seen = []
    before = os.umask(0o027)
    try:
        write_whole(
            tmp_path / "file", lambda file: seen.append(os.fstat(file.fileno()).st_mode), mode=mode
        )
    finally:
        os.umask(before)
    assert [stat.S_IMODE(each) for each in (*seen, (tmp_path / "file").stat().st_mode)] == [
        *(expected, expected)
    ]


def test_a_writer_that_wants_a_path_gets_one_with_the_same_ending(tmp_path):
    with whole_file(tmp_path / "model.keras") as unfinished:
        assert unfinished.parent == tmp_path
        assert is_unfinished(unfinished.name)
        assert unfinished.suffix == ".keras"
        unfinished.write_bytes(b"model")
        assert finished(tmp_path) == []
    assert (tmp_path / "model.keras").read_bytes() == b"model"


def test_a_writer_that_writes_nothing_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError), whole_file(tmp_path / "file"):
        pass
    assert names(tmp_path) == []


def test_what_is_published_is_no_link(tmp_path):
    """Whoever else may write to the folder cannot have another file brought to disk."""
    (tmp_path / "other").write_bytes(b"other")
    (tmp_path / ".hidden").symlink_to("other")
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        with pytest.raises(OSError, match="symbolic links"):
            publish(".hidden", "file", folder)
    finally:
        os.close(folder)
    assert not (tmp_path / "file").exists()


# --- a folder ---------------------------------------------------------------------------------


def test_a_folder_appears_when_it_is_whole(tmp_path):
    place = tmp_path / "new" / "folder"
    with whole_folder(place) as unfinished:
        (unfinished / "file").write_bytes(b"one")
        assert finished(place.parent) == []
    assert (place / "file").read_bytes() == b"one"
    assert stat.S_IMODE(place.stat().st_mode) == 0o755
    assert names(place.parent) == ["folder"]


@pytest.mark.parametrize("error", [ValueError, Stop])
def test_a_folder_that_fails_leaves_nothing(tmp_path, error):
    with pytest.raises(error), whole_folder(tmp_path / "folder") as unfinished:  # noqa: PT012
        (unfinished / "file").write_bytes(b"half")
        raise error
    assert names(tmp_path) == []


def test_the_folder_of_the_faster_process_stays(tmp_path):
    with whole_folder(tmp_path / "folder") as unfinished:
        (unfinished / "file").write_bytes(b"slower")
        with whole_folder(tmp_path / "folder") as other:
            (other / "file").write_bytes(b"faster")
    assert (tmp_path / "folder" / "file").read_bytes() == b"faster"
    assert names(tmp_path) == ["folder"]


def test_a_file_where_the_folder_should_be_is_an_error(tmp_path):
    (tmp_path / "folder").write_bytes(b"file")
    with pytest.raises(NotADirectoryError), whole_folder(tmp_path / "folder"):
        pass
    assert names(tmp_path) == ["folder"]


# --- names ------------------------------------------------------------------------------------


@given(st.text(st.characters(exclude_characters="/\0", codec="utf-8"), min_size=1, max_size=40))
def test_unfinished_names_are_recognised_whatever_they_become(name):
    assert is_unfinished(files._unfinished(files.Path("folder") / f"x{name}").name)


@pytest.mark.parametrize(
    "name", [".lock", ".token", "epoch-00001.npz", ".0123456789abcdef.upload", "0123456789abcdef-x"]
)
def test_other_names_are_not_taken_for_unfinished(name):
    assert not is_unfinished(name)


# --- processes that are killed ----------------------------------------------------------------

ALTERNATELY = """
import itertools, sys
from pathlib import Path
from bohb_seg.files import whole_folder, write_whole

place = Path(sys.argv[1])
for number in itertools.count():
    letter = b"ab"[number % 2 : number % 2 + 1]
    write_whole(place / "file", letter * 300_000, durable=False)
    with whole_folder(place / str(number)) as folder:
        for name in "cd":
            (folder / name).write_bytes(letter)
    print(number, flush=True)
"""
HALF = """
import sys, time
from pathlib import Path
from bohb_seg.files import whole_folder, write_whole

def half(file):
    file.write(b"half")
    file.flush()
    with whole_folder(Path(sys.argv[1]) / "folder") as folder:
        (folder / "file").write_bytes(b"half")
        print("half", flush=True)
        time.sleep(600)

write_whole(Path(sys.argv[1]) / "file", half)
"""


def started(program, folder):
    return subprocess.Popen(
        [sys.executable, "-c", program, str(folder)], stdout=subprocess.PIPE, text=True
    )


def kill(process):
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()


def test_a_process_killed_half_way_leaves_the_old_file_and_nothing_that_looks_real(tmp_path):
    write_whole(tmp_path / "file", b"old")
    process = started(HALF, tmp_path)
    assert process.stdout.readline() == "half\n"
    kill(process)
    assert (tmp_path / "file").read_bytes() == b"old"
    assert finished(tmp_path) == ["file"]
    assert len(names(tmp_path)) == 3  # so it was in the middle of both


@pytest.mark.parametrize("lines", [1, 2, 7, 30])
def test_a_process_killed_at_any_moment_leaves_whole_files_only(tmp_path, lines):
    """Reads them all the while, too: nobody ever sees half of one."""
    process, over, seen = started(ALTERNATELY, tmp_path), threading.Event(), set()

    def read():
        while not over.is_set():
            seen.add((tmp_path / "file").read_bytes())

    assert process.stdout.readline() == "0\n"
    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(lines):
        process.stdout.readline()
    kill(process)
    over.set()
    reader.join()
    seen.add((tmp_path / "file").read_bytes())
    assert seen <= {b"a" * 300_000, b"b" * 300_000}
    folders = [tmp_path / name for name in finished(tmp_path) if name != "file"]
    assert len(folders) > lines
    assert {tuple(names(folder)) for folder in folders} == {("c", "d")}


# --- files of the user ------------------------------------------------------------------------


def a_pipe(path):
    os.mkfifo(path)


def a_link_to_a_pipe(path):
    os.mkfifo(path.with_name("pipe"))
    path.symlink_to("pipe")


def a_link_to_a_device(path):
    path.symlink_to("/dev/zero")


def a_socket(path):
    with socket.socket(socket.AF_UNIX) as its:
        its.bind(str(path))


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (a_pipe, "a pipe, not a file"),
        (a_link_to_a_pipe, "a pipe, not a file"),
        (a_link_to_a_device, "a device, not a file"),
        (a_socket, "a socket, not a file"),
        (os.mkdir, "a folder, not a file"),
        (lambda path: path.symlink_to(path.name), "Too many levels of symbolic links"),
        (lambda path: None, "No such file or directory"),
    ],
)
def test_what_is_no_file_is_refused_at_once(tmp_path, make, sentence):
    make(tmp_path / "file")
    with pytest.raises(OSError, match="") as refused:
        read_regular(tmp_path / "file", 10)
    assert refused.value.strerror == sentence


def test_a_file_is_read_through_a_link_and_up_to_its_limit(tmp_path):
    (tmp_path / "file").write_bytes(b"0123456789")
    (tmp_path / "link").symlink_to("file")
    assert read_regular(tmp_path / "link", 10) == b"0123456789"
    with pytest.raises(OSError, match="larger than 9e-06 MB"):
        read_regular(tmp_path / "file", 9)
    with pytest.raises(OSError, match="larger"):  # tells a size of zero, and has more
        read_regular(Path("/proc/self/status"), 9)


# --- archives ---------------------------------------------------------------------------------

PARTS = {"config.json": b"{}" * 20, "weights.h5": bytes(range(200)), "train.npy": b"\0" * 99}


def archive(compression=zipfile.ZIP_STORED, **more):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", compression) as file:
        for name, its in {**PARTS, **more}.items():
            file.writestr(zipfile.ZipInfo(name), its, compression)
    return content.getvalue()


@settings(deadline=None)
@given(st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]), st.integers(0, 1 << 14))
def test_a_bit_that_flips_in_an_archive_hides_no_part_and_changes_none(compression, bit):
    content = bytearray(archive(compression))
    content[-1 - bit // 8 % len(content)] ^= 1 << bit % 8
    file = io.BytesIO(content)
    with contextlib.suppress(ValueError):
        assert check_parts(file) == PARTS.keys()
        check_archive(file)
        with zipfile.ZipFile(file) as whole:
            assert {name: whole.read(name) for name in whole.namelist()} == PARTS


def test_an_archive_that_unpacks_to_much_more_is_not_unpacked():
    content = archive(zipfile.ZIP_DEFLATED, bomb=bytes(50_000_000))
    assert len(content) < 100_000
    with pytest.raises(ValueError, match="its parts would unpack to 50000339 bytes"):
        check_archive(io.BytesIO(content))


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\5\6"])
def test_what_is_no_archive_is_no_whole_one(content):
    for check in (check_parts, check_archive):
        with pytest.raises(ValueError, match="not a zip file"):
            check(io.BytesIO(content))
