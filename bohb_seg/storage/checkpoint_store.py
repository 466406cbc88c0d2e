"""The run's checkpoints: handed to and taken from workers elsewhere, kept under a size, cleared.

Workers without shared storage call :class:`Storage`. Rules of that:

* Every argument is a stranger's until it is checked: only files directly in a trial's or a
  comparison's folder can be named, and folders are opened one by one without following links, so
  no path leads out of the run directory.
* A file is whole or not there. Pieces go to a hidden file of that upload alone and must follow one
  another; only ``keep`` gives it its name, after size and SHA-256 are right and it is on disk.
* Keeping ``epoch-00009.npz`` removes ``epoch-<n>.npz`` of fewer epochs in that folder, and nothing
  else. So a late worker with fewer epochs takes nothing away from one that was faster.
* Calls come from several threads; no call holds a lock that another upload needs while it writes.
"""

import contextlib
import hashlib
import logging
import os
import secrets
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import Pyro4
import serpent

from bohb_seg.errors import SettingsError
from bohb_seg.files import publish, write_whole
from bohb_seg.rpc import checkpoint_names
from bohb_seg.trials import checkpoint_epochs

MAX_UPLOADS = 32
"""Unfinished uploads at a time; who comes on top is asked to try again."""
ABANDONED_AFTER = 60.0
"""Seconds without a piece after which an upload is forgotten; pieces follow within a call's 10."""
SYNC_BYTES = 16 * 1024 * 1024
"""So many bytes are brought to disk while they arrive, so that ``keep`` has little left to wait
for and stays far below a call's timeout however large the file is."""
_MOST_HASHES = 4096

_log = logging.getLogger(__name__)


class _Key(NamedTuple):
    folder: str
    name: str
    uploader: str


@dataclass
class _Upload:
    """Pieces so far. The hidden file's name is its own, so a late call spoils no later upload."""

    file: str = field(default_factory=lambda: f".{secrets.token_hex(8)}.upload")
    size: int = 0
    digest: Any = field(default_factory=hashlib.sha256)
    touched: float = field(default_factory=time.monotonic)
    lock: threading.Lock = field(default_factory=threading.Lock)


@Pyro4.expose
class Storage:
    """The remote object through which workers elsewhere read and write checkpoints.

    ``folder`` is always relative to the run directory: ``checkpoints/<trial>``, ``comparison`` or
    ``comparison/<arm>-<seed>``.

    Args:
        run_dir: The run's directory; it exists.

    Raises:
        SettingsError: the directory cannot be written.
    """

    def __init__(self, run_dir: Path) -> None:
        self._run_dir = run_dir.resolve()
        self._uploads: dict[_Key, _Upload] = {}
        self._registry = threading.Lock()
        self._hashes: dict[tuple[str, str], tuple[tuple[int, ...], str]] = {}
        try:
            self.token = _token(self._run_dir / checkpoint_names.TOKEN_FILE)
        except OSError as error:
            raise SettingsError(
                f"--run-dir {run_dir} cannot be written: {error.strerror}; choose another"
            ) from None

    def stored(self, folder: str) -> dict[str, list[int | str]]:
        """The whole files of a folder.

        Returns:
            ``{name: [size in bytes, SHA-256 in hex]}``; empty if there is no such folder.

        Raises:
            ValueError: there can be no such folder.
            OSError: it cannot be read.
        """
        _check(folder)
        with (
            _told(folder, "read"),
            contextlib.suppress(FileNotFoundError),
            self._opened(folder) as directory,
        ):
            found = {name: self._described(directory, folder, name) for name in _names(directory)}
            return {name: list(entry) for name, entry in found.items() if entry}
        return {}

    def fetch(self, folder: str, name: str, offset: int) -> bytes:
        """At most ``PIECE_BYTES`` bytes of a file from ``offset`` on; none past its end.

        Raises:
            ValueError: an argument is not what it must be.
            OSError: the file is not there or cannot be read.
        """
        _check(folder, name)
        _check_number("offset", offset)
        with (
            _told(f"{folder}/{name}", "read"),
            self._opened(folder) as directory,
            _file(directory, name) as file,
        ):
            return os.pread(file, checkpoint_names.PIECE_BYTES, offset)

    def store(self, folder: str, name: str, offset: int, data: object, uploader: str) -> None:
        """Takes the next piece of a file; the one with offset 0 begins the upload (again).

        Args:
            folder: Where the file will lie.
            name: What it will be called.
            offset: The bytes that were sent before.
            data: At most ``PIECE_BYTES`` bytes, as such or as serpent sends them.
            uploader: 32 hex digits that no other uploader has.

        Raises:
            ValueError: an argument is not what it must be, or the piece does not follow the last.
            OSError: it cannot be written, e.g. because the disk is full; the upload is forgotten.
        """
        _check(folder, name, uploader)
        piece = _bytes(data)
        _check_number("offset", offset, checkpoint_names.MAX_FILE_BYTES - len(piece))
        key = _Key(folder, name, uploader)
        upload = self._begun(key) if offset == 0 else self._unfinished(key)
        with upload.lock:
            if offset != upload.size:
                raise ValueError(
                    f"the piece of {folder}/{name} begins at {offset}, but {upload.size} bytes"
                    " are here; begin again"
                )
            try:
                with _told(f"{folder}/{name}", "written"):
                    self._append(key, upload, piece)
            except OSError as error:
                _log.warning("%s", error)
                self._forget(key, upload)
                raise

    def keep(self, folder: str, name: str, size: int, sha256: str, uploader: str) -> bool:
        """Ends an upload: the file appears under its name, whole and on disk.

        If it is a checkpoint, ``epoch-<n>.npz``, those of fewer epochs in its folder are removed.

        Returns:
            True, when all that is done.

        Raises:
            ValueError: an argument is not what it must be, or the bytes are not those announced.
            OSError: it cannot be brought to disk. In any case the upload is forgotten.
        """
        _check(folder, name, uploader)
        key = _Key(folder, name, uploader)
        upload = self._unfinished(key)
        with upload.lock:
            try:
                if (size, sha256) != (upload.size, upload.digest.hexdigest()):
                    raise ValueError(
                        f"{folder}/{name} arrived as {upload.size} bytes that are not those"
                        " announced; begin again"
                    )
                with _told(f"{folder}/{name}", "written"), self._opened(folder) as directory:
                    publish(upload.file, name, directory)
                    _remove_older(directory, name)
            finally:
                self._forget(key, upload)
        return True

    # --- uploads ------------------------------------------------------------------------------

    def _begun(self, key: _Key) -> _Upload:
        with self._registry:
            now = time.monotonic()
            abandoned = {
                old: upload
                for old, upload in self._uploads.items()
                if old == key or now - upload.touched > ABANDONED_AFTER
            }
        for old, upload in abandoned.items():
            self._forget(old, upload)
        with self._registry:
            if len(self._uploads) >= MAX_UPLOADS:
                raise ValueError(f"{MAX_UPLOADS} other uploads are under way; try again later")
            return self._uploads.setdefault(key, _Upload())

    def _unfinished(self, key: _Key) -> _Upload:
        with self._registry:
            if (upload := self._uploads.get(key)) is None:
                raise ValueError(f"no upload of {key.folder}/{key.name} is under way; begin again")
            return upload

    def _append(self, key: _Key, upload: _Upload, piece: bytes) -> None:
        create = os.O_CREAT | os.O_EXCL if upload.size == 0 else 0
        with (
            self._opened(key.folder, create=True) as directory,
            _file(directory, upload.file, os.O_WRONLY | create) as file,
        ):
            written = 0
            while written < len(piece):
                written += os.pwrite(file, piece[written:], upload.size + written)
            if (upload.size + len(piece)) // SYNC_BYTES > upload.size // SYNC_BYTES:
                os.fdatasync(file)
        upload.digest.update(piece)
        upload.size += len(piece)
        upload.touched = time.monotonic()

    def _forget(self, key: _Key, upload: _Upload) -> None:
        """Removes an upload and its hidden file, if it is there."""
        with self._registry:
            if self._uploads.get(key) is upload:
                del self._uploads[key]
        with contextlib.suppress(OSError), self._opened(key.folder) as directory:
            os.unlink(upload.file, dir_fd=directory)

    # --- files --------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _opened(self, folder: str, create: bool = False) -> Iterator[int]:
        """Opens a folder of the run directory step by step; a link on the way is an OSError."""
        directory = os.open(self._run_dir, os.O_RDONLY | os.O_DIRECTORY)
        try:
            for part in folder.split("/"):
                if create:
                    with contextlib.suppress(FileExistsError):
                        os.mkdir(part, dir_fd=directory)
                        os.fsync(directory)
                below = os.open(
                    part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=directory
                )
                os.close(directory)
                directory = below
            yield directory
        finally:
            os.close(directory)

    def _described(self, directory: int, folder: str, name: str) -> tuple[int, str] | None:
        """Size and SHA-256, if it is a file and there still. Read again only if it changed."""
        with contextlib.suppress(FileNotFoundError), _file(directory, name) as file:
            state = os.fstat(file)
            signature = (state.st_ino, state.st_size, state.st_mtime_ns)
            known, sha256 = self._hashes.get((folder, name), ((), ""))
            if known != signature:
                with open(file, "rb", closefd=False) as content:
                    sha256 = hashlib.file_digest(content, "sha256").hexdigest()
                if len(self._hashes) >= _MOST_HASHES:
                    self._hashes.clear()
                self._hashes[folder, name] = signature, sha256
            return state.st_size, sha256
        return None


# --- what the run directory may hold ----------------------------------------------------------


# --- single files -----------------------------------------------------------------------------


@contextlib.contextmanager
def _file(directory: int, name: str, flags: int = os.O_RDONLY) -> Iterator[int]:
    """Opens a file of a folder, but no link, and without waiting if it is a pipe."""
    opened = os.open(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o644, dir_fd=directory)
    try:
        yield opened
    finally:
        os.close(opened)


def _names(directory: int) -> list[str]:
    """The files of a folder that may be handed over; links are none."""
    with os.scandir(directory) as entries:
        files = [entry.name for entry in entries if entry.is_file(follow_symlinks=False)]
    return sorted(filter(checkpoint_names.is_name, files))


def _remove_older(directory: int, name: str) -> None:
    """Removes the checkpoints of fewer epochs than the one of this name has."""
    if (kept := checkpoint_epochs(name)) is None:
        return
    for other in _names(directory):
        epochs = checkpoint_epochs(other)
        if epochs is not None and epochs < kept:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(other, dir_fd=directory)


def _token(path: Path) -> str:
    """Reads the run's token, or makes one; a token that was cut short is made again."""
    with contextlib.suppress(FileNotFoundError):
        if checkpoint_names.is_token(
            token := path.read_text(encoding="ascii", errors="replace").strip()
        ):
            return token
    token = secrets.token_hex(16)
    write_whole(path, f"{token}\n")
    return token


# --- arguments --------------------------------------------------------------------------------


def _check(folder: object, name: object = "file", uploader: object = "0" * 32) -> None:
    if not checkpoint_names.is_folder(folder):
        raise ValueError(f"{folder!r:.100} is no folder of checkpoints or of the comparison")
    if not checkpoint_names.is_name(name) or checkpoint_names.is_folder(f"{folder}/{name}"):
        raise ValueError(f"{name!r:.100} is no name of a file; use letters, digits and '._-'")
    if not checkpoint_names.is_token(uploader):
        raise ValueError(f"{uploader!r:.100} is no uploader; use 32 hex digits")


def _check_number(name: str, value: object, most: int = checkpoint_names.MAX_FILE_BYTES) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise ValueError(f"{name} is {value!r:.100}; it must be a whole number up to {most}")


def _bytes(data: object) -> bytes:
    """The bytes that serpent sent as bytes or, by default, as a dictionary with base64 in it."""
    try:
        found = bytes(serpent.tobytes(data))
    except (TypeError, ValueError, AttributeError):
        raise ValueError("a piece must be bytes") from None
    if len(found) > checkpoint_names.PIECE_BYTES:
        raise ValueError(
            f"a piece has {len(found)} bytes; send at most {checkpoint_names.PIECE_BYTES}"
        )
    return found


@contextlib.contextmanager
def _told(path: str, done: str) -> Iterator[None]:
    """Turns an OSError into one that says in a sentence what could not be done, and where."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise OSError(f"{path} cannot be {done} at the master: {reason}") from None
