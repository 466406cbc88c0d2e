"""Files and folders that appear whole or not at all, whatever ends the process that writes them.

Something unfinished lies beside its final place under a hidden name of its own. The final name is
given by renaming, which file systems do in one step. A process that is killed may leave a hidden
file or folder behind; :func:`is_unfinished` recognises it by its name.
"""

import contextlib
import errno
import logging
import os
import re
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

Content = bytes | str | Callable[[BinaryIO], object]
"""Bytes, a text (written as UTF-8), or a function that writes to an open file."""

LARGEST_TEXT = 1_000_000
"""Bytes of a file that people write, of settings or classes for example, at most."""
LARGEST_RECORD = 1 << 33
"""Bytes of a file that a run writes about itself, its journal for example, at most."""

_UNFINISHED = re.compile(r"\.[0-9a-f]{16}-.+", re.DOTALL)
_KINDS = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
"""Words for what is no regular file; all others are devices."""
_CANNOT_SYNC_FOLDERS = frozenset({errno.EINVAL, errno.ENOTSUP})
"""Some network file systems answer so; their servers keep folders safe themselves."""
_BLOCK_BYTES = 1024 * 1024

_log = logging.getLogger(__name__)


def write_whole(
    path: Path,
    content: Content,
    *,
    durable: bool = True,
    mode: int = 0o666,
    within: Path | None = None,
) -> None:
    """Writes a file that appears under ``path`` only when it is whole.

    Args:
        path: The file; an older one is replaced.
        content: Content of the file. Nothing appears if a function raises.
        durable: Whether the file also survives a crash of the machine, once this returns.
        mode: Permissions from the first moment on, less the process's umask.
        within: A folder above it that must be there, see :func:`make_folder`.

    Raises:
        OSError: the file cannot be written; an older one is as it was.
    """
    with whole_file(path, durable=durable, within=within) as unfinished:
        descriptor = os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "w+b") as file:
            _fill(file, content)


@contextlib.contextmanager
def whole_file(path: Path, *, durable: bool = True, within: Path | None = None) -> Iterator[Path]:
    """Yields a hidden path; the file that the caller writes there becomes ``path`` at the end.

    For writers that want a path instead of an open file. If the caller raises, nothing appears.

    Args:
        path: The file; an older one is replaced. Folders above it are created.
        durable: Whether the file also survives a crash of the machine, once the context is left.
        within: A folder above it that must be there, see :func:`make_folder`.

    Raises:
        OSError: the file cannot be written, or the caller has not written it.
    """
    make_folder(path.parent, within)
    unfinished = _unfinished(path)
    try:
        yield unfinished
        with _opened(path.parent) as folder:
            publish(unfinished.name, path.name, folder, durable=durable)
    finally:
        unfinished.unlink(missing_ok=True)


def make_folder(folder: Path, within: Path | None = None) -> None:
    """Makes a folder, and those above it, unless they are there.

    Args:
        folder: The folder.
        within: A folder above it, or itself, that is never made. A run directory that is moved, or
            whose mount is lost, may be put back; nothing may lie in its place then.

    Raises:
        FileNotFoundError: ``within`` is not there.
        OSError: the folder cannot be made.
    """
    if within is None:
        folder.mkdir(parents=True, exist_ok=True)
        return
    for part in folder.relative_to(within).parts:
        within = within / part
        within.mkdir(exist_ok=True)


@contextlib.contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Yields a new hidden folder, which becomes ``path`` at the end, for all to read.

    If the caller raises, nothing appears. If another process was faster, its folder stays and the
    new one is removed. Nothing is forced to disk: this is for folders that can be made again.

    Args:
        path: The folder; it does not exist, or is empty. Folders above it are created.

    Raises:
        OSError: the folder cannot be written, or ``path`` is a file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = _unfinished(path)
    unfinished.mkdir(mode=0o700)
    try:
        yield unfinished
        unfinished.chmod(0o755)
        try:
            unfinished.rename(path)
        except OSError:
            if not path.is_dir():
                raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def open_regular(path: Path, most: int) -> BufferedReader:
    """Opens a file of the user for reading; pipes and devices are refused, not waited for.

    Args:
        path: The file, or a link to one.
        most: Largest size in bytes.

    Raises:
        OSError: it cannot be opened, is no regular file, or is larger; ``strerror`` says which.
    """
    _refuse(path, path.stat(), most)  # opening a device may already do something
    return os.fdopen(_opened_regular(path, os.O_RDONLY, most), "rb")


def read_regular(path: Path, most: int = LARGEST_TEXT) -> bytes:
    """Reads a file of the user as :func:`open_regular` opens it.

    Raises:
        OSError: it cannot be read, is no regular file, or is larger than ``most`` bytes.
    """
    blocks, size = [], 0
    with open_regular(path, most) as file:
        while block := file.read(_BLOCK_BYTES):
            blocks.append(block)
            size += len(block)
            if size > most:  # some files of the system do not tell their size
                raise _too_large(path, most)
    return b"".join(blocks)


def open_to_append(path: Path) -> BinaryIO:
    """Opens a file of a run for appending; it is made if it is not there.

    Pipes and devices are refused, not waited for, and so are links: others may write there, too.

    Raises:
        OSError: it cannot be opened, or is no regular file.
    """
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW
    return os.fdopen(_opened_regular(path, flags, LARGEST_RECORD), "ab")


def refuse_foreign_link(path: Path) -> None:
    """Refuses a link that somebody else made, who may write here but not where it leads.

    Links of this user, of root, and of whoever owns the folder are followed, as Linux does in
    folders for all (``protected_symlinks``).

    Raises:
        OSError: it is such a link; ``strerror`` says so.
    """
    with contextlib.suppress(FileNotFoundError):
        state = path.lstat()
        trusted = {0, os.geteuid(), path.parent.stat().st_uid}
        if stat.S_ISLNK(state.st_mode) and state.st_uid not in trusted:
            raise OSError(errno.EPERM, f"{path.name} is a link of another user", str(path))


def publish(hidden: str, name: str, folder: int, *, durable: bool = True) -> None:
    """Gives a finished file of a folder its name; a file that had it before is gone.

    Args:
        hidden: The name under which the file was written.
        name: The name that it gets.
        folder: Descriptor of the folder, which is open for reading.
        durable: Whether content and name are on disk when this returns.

    Raises:
        OSError: the file cannot be brought to disk, or cannot be renamed.
    """
    if durable:
        file = os.open(hidden, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=folder)
        try:
            os.fsync(file)
        finally:
            os.close(file)
    os.replace(hidden, name, src_dir_fd=folder, dst_dir_fd=folder)
    if durable:
        _sync_folder(folder)


def remove_folder(path: Path) -> None:
    """Removes a folder in one step for all who use its name, then what is in it.

    Whoever has it open may finish a file there meanwhile; the rest is removed by
    :func:`remove_unfinished`. Of a link the link alone is removed.

    Raises:
        OSError: its name cannot be taken away.
    """
    hidden = _unfinished(path)
    path.rename(hidden)
    _remove(hidden)


def remove_unfinished(path: Path) -> None:
    """Removes what :func:`remove_folder` could not remove of a folder of this name."""
    for hidden in path.parent.glob(f".*-{path.name}"):
        if is_unfinished(hidden.name):
            _remove(hidden)


def log_stream(path: Path) -> BinaryIO:
    """Opens a log of a child process, to append to; its folder is created.

    A log that cannot be written is no reason to do without the child: that is said, and what the
    child says is lost.
    """
    try:
        refuse_foreign_link(path.parent)
        path.parent.mkdir(exist_ok=True)
        return open_to_append(path)
    except OSError as error:
        _log.warning("%s cannot be written (%s); going on without it", path, error.strerror)
        return Path(os.devnull).open("ab")


def is_unfinished(name: str) -> bool:
    """Whether a file or folder of this name was begun here and never finished."""
    return _UNFINISHED.fullmatch(name) is not None


def _opened_regular(path: Path, flags: int, most: int) -> int:
    """Opens a file, and does not wait for a pipe's other end; only a regular one stays open."""
    descriptor = os.open(path, flags | os.O_NONBLOCK, 0o666)
    try:
        _refuse(path, os.fstat(descriptor), most)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _refuse(path: Path, state: os.stat_result, most: int) -> None:
    if not stat.S_ISREG(state.st_mode):
        kind = _KINDS.get(stat.S_IFMT(state.st_mode), "a device")
        raise OSError(errno.EINVAL, f"{kind}, not a file", str(path))
    if state.st_size > most:
        raise _too_large(path, most)


def _too_large(path: Path, most: int) -> OSError:
    return OSError(errno.EFBIG, f"larger than {most / 1e6:g} MB", str(path))


def _unfinished(path: Path) -> Path:
    # Random, because several machines may write the same file and in containers all processes have
    # the number 1. The name's end stays, because some writers choose the format by it.
    return path.with_name(f".{secrets.token_hex(8)}-{path.name}")


def _remove(folder: Path) -> None:
    if folder.is_symlink():
        folder.unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


def _fill(file: BinaryIO, content: Content) -> None:
    if isinstance(content, str):
        content = content.encode("utf-8")
    if isinstance(content, bytes):
        file.write(content)
    else:
        content(file)


@contextlib.contextmanager
def _opened(folder: Path) -> Iterator[int]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _sync_folder(folder: int) -> None:
    try:
        os.fsync(folder)
    except OSError as error:
        if error.errno not in _CANNOT_SYNC_FOLDERS:
            raise
