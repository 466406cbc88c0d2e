"""Files and folders that appear whole or not at all, whatever ends the process that writes them.

Something unfinished lies beside its final place under a hidden name of its own. The final name is
given by renaming, which file systems do in one step. A process that is killed may leave a hidden
file or folder behind; :func:`is_unfinished` recognises it by its name.

A *sealed* file ends with the hash of all that comes before, so that a reader can tell whether the
bits are those that were written. A zip archive has a sum for each part, and a list of its parts.
"""

import contextlib
import errno
import hashlib
import logging
import os
import re
import secrets
import shutil
import stat
import struct
import zipfile
from collections.abc import Callable, Iterator
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

Content = bytes | str | Callable[[BinaryIO], object]
"""Bytes, a text (written as UTF-8), or a function that writes to an open file."""

LARGEST_TEXT = 1_000_000
"""Bytes of a file that people write, of settings or classes for example, at most."""

_UNFINISHED = re.compile(r"\.[0-9a-f]{16}-.+", re.DOTALL)
_KINDS = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
"""Words for what is no regular file; all others are devices."""
_CANNOT_SYNC_FOLDERS = frozenset({errno.EINVAL, errno.ENOTSUP})
"""Some network file systems answer so; their servers keep folders safe themselves."""

SEAL_BYTES = 71
"""Length of a seal."""
_SEAL = re.compile(rb"sha256:([0-9a-f]{64})")
_BLOCK_BYTES = 1024 * 1024
_MOST_UNPACKED = 20
"""Times its size that an archive of numbers may unpack to; more is made to do harm."""

_log = logging.getLogger(__name__)


def write_whole(path: Path, content: Content, *, durable: bool = True, mode: int = 0o666) -> None:
    """Writes a file that appears under ``path`` only when it is whole.

    Args:
        path: The file; an older one is replaced. Folders above it are created.
        content: Content of the file. Nothing appears if a function raises.
        durable: Whether the file also survives a crash of the machine, once this returns.
        mode: Permissions from the first moment on, less the process's umask.

    Raises:
        OSError: the file cannot be written; an older one is as it was.
    """
    with whole_file(path, durable=durable) as unfinished:
        descriptor = os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "w+b") as file:
            _fill(file, content)


@contextlib.contextmanager
def whole_file(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Yields a hidden path; the file that the caller writes there becomes ``path`` at the end.

    For writers that want a path instead of an open file. If the caller raises, nothing appears.

    Args:
        path: The file; an older one is replaced. Folders above it are created.
        durable: Whether the file also survives a crash of the machine, once the context is left.

    Raises:
        OSError: the file cannot be written, or the caller has not written it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = _unfinished(path)
    try:
        yield unfinished
        with _opened(path.parent) as folder:
            publish(unfinished.name, path.name, folder, durable=durable)
    finally:
        unfinished.unlink(missing_ok=True)


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
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        _refuse(path, os.fstat(descriptor), most)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_regular(path: Path, most: int = LARGEST_TEXT) -> bytes:
    """Reads a file of the user as :func:`open_regular` opens it.

    Raises:
        OSError: it cannot be read, is no regular file, or is larger than ``most`` bytes.
    """
    with open_regular(path, most) as file:
        content = file.read(most + 1)  # some files of the system do not tell their size
    if len(content) > most:
        raise _too_large(path, most)
    return content


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


def seal(file: BinaryIO) -> None:
    """Appends the hash of a file's content to it.

    Args:
        file: Open for reading and writing, its content as it stays.
    """
    digest = _digest(file, file.seek(0, os.SEEK_END))
    file.seek(0, os.SEEK_END)
    file.write(f"sha256:{digest}".encode())


def check_seal(file: BinaryIO) -> bool:
    """Returns whether a file is sealed.

    Args:
        file: Open for reading.

    Raises:
        ValueError: its content is not the one that was sealed.
    """
    rest = file.seek(0, os.SEEK_END) - SEAL_BYTES
    file.seek(max(0, rest))
    found = _SEAL.fullmatch(file.read())
    if found is None:
        return False
    if _digest(file, rest) != found[1].decode():
        raise ValueError("its bits are not those that were written")
    return True


def check_parts(file: BinaryIO) -> frozenset[str]:
    """Returns the names of the parts of a zip archive, once none is missing or named otherwise.

    A reader that looks into the list alone does not see that a bit of it was turned.

    Args:
        file: Open for reading.

    Raises:
        ValueError: it is no archive, or its list is not that of its parts.
    """
    with _archive(file) as archive:
        return frozenset(archive.namelist())


def check_archive(file: BinaryIO) -> None:
    """Checks a zip archive by its list of parts and by the sum of each part.

    Args:
        file: Open for reading.

    Raises:
        ValueError: it is no archive, or one that is not as it was written.
    """
    with _archive(file) as archive:
        unpacked = sum(part.file_size for part in archive.infolist())
        if unpacked > _MOST_UNPACKED * max(file.seek(0, os.SEEK_END), _BLOCK_BYTES):
            raise ValueError(f"its parts would unpack to {unpacked} bytes")
        if damaged := archive.testzip():
            raise ValueError(f"its part {damaged} is damaged")


def log_stream(path: Path) -> BinaryIO:
    """Opens a log of a child process, to append to; its folder is created.

    A log that cannot be written is no reason to do without the child: that is said, and what the
    child says is lost.
    """
    try:
        path.parent.mkdir(exist_ok=True)
        return path.open("ab")
    except OSError as error:
        _log.warning("%s cannot be written (%s); going on without it", path, error.strerror)
        return Path(os.devnull).open("ab")


def is_unfinished(name: str) -> bool:
    """Whether a file or folder of this name was begun here and never finished."""
    return _UNFINISHED.fullmatch(name) is not None


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


@contextlib.contextmanager
def _archive(file: BinaryIO) -> Iterator[zipfile.ZipFile]:
    """Yields an archive that has the parts that its list names, and as many as it says."""
    try:
        with zipfile.ZipFile(file) as archive:
            file.seek(-len(archive.comment) - 12, os.SEEK_END)  # in the record at its end
            (count,) = struct.unpack("<H", file.read(2))
            if count != len(set(archive.namelist())):
                raise ValueError("some of its parts are missing")
            for part in archive.infolist():
                archive.open(part).close()  # the library compares the name in front of the part
            yield archive
    except Exception as error:  # the library raises many kinds
        is_of_the_disk = isinstance(error, OSError) and error.errno not in (None, errno.EINVAL)
        if is_of_the_disk or isinstance(error, ValueError):
            raise
        raise ValueError(str(error) or type(error).__name__) from error


def _digest(file: BinaryIO, size: int) -> str:
    """SHA-256 of the first bytes of a file, in hex."""
    file.seek(0)
    digest = hashlib.sha256()
    while block := file.read(min(size, _BLOCK_BYTES)):
        digest.update(block)
        size -= len(block)
    return digest.hexdigest()


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
