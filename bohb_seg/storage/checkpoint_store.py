"""The remote object through which workers elsewhere read and write a run's checkpoints.

Workers without shared storage call :class:`CheckpointStore`. Rules of that:

* Every argument is a stranger's until it is checked: only files directly in a trial's or a
  comparison's folder can be named.
* A file is whole or not there, see :mod:`bohb_seg.storage.uploads`.
* Keeping ``epoch-00009.npz`` removes ``epoch-<n>.npz`` of fewer epochs in that folder, and nothing
  else. So a late worker with fewer epochs takes nothing away from one that was faster.
* The folder of all checkpoints is made by the constructor, and not again: when it has been removed
  the run is over.
* Calls come from several threads.
"""

import contextlib
import logging
import math
import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import Pyro4
import serpent

from bohb_seg.errors import SettingsError
from bohb_seg.files import read_regular, refuse_foreign_link, write_whole
from bohb_seg.rpc import checkpoint_names, speakers
from bohb_seg.storage.run_folders import RunFolders, opened_file
from bohb_seg.storage.uploads import UploadKey, Uploads
from bohb_seg.trials import CHECKPOINTS

_log = logging.getLogger(__name__)


@Pyro4.expose
class CheckpointStore:
    """The run's checkpoints, for workers that do not share the master's storage.

    ``folder`` is always relative to the run directory: ``checkpoints/<trial>``, ``comparison`` or
    ``comparison/<arm>-<seed>``.

    Args:
        run_dir: The run's directory; it exists.
        gigabytes: Room for the files of a trial, in 10^9 bytes.

    Raises:
        SettingsError: the directory cannot be written.
    """

    def __init__(self, run_dir: Path, gigabytes: float = math.inf) -> None:
        self._folders = RunFolders(run_dir)
        self._uploads = Uploads(self._folders, gigabytes * 1e9)
        self.permit: Callable[[str], None] = lambda folder: None
        """Raises if whoever calls may not write to a folder."""
        try:
            refuse_foreign_link(run_dir / CHECKPOINTS)
            self.token = _token(run_dir)
        except OSError as error:
            raise SettingsError(
                f"--run-dir {run_dir} cannot be written: {error.strerror}; choose another"
            ) from None

    def stored(self, folder: str) -> dict[str, list[int | str]]:
        """Describes the whole files of a folder.

        Returns:
            ``{name: [size in bytes, SHA-256 in hex]}``; empty if there is no such folder.

        Raises:
            ValueError: there can be no such folder.
            OSError: the folder cannot be read.
        """
        _check(folder)
        with _in_words(folder, "read"), contextlib.suppress(FileNotFoundError):
            return {name: list(each) for name, each in self._folders.described(folder).items()}
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
            _in_words(f"{folder}/{name}", "read"),
            self._folders.opened(folder) as directory,
            opened_file(directory, name) as file,
        ):
            return os.pread(file, checkpoint_names.PIECE_BYTES, offset)

    def store(self, folder: str, name: str, offset: int, data: object, uploader: str) -> None:
        """Takes the next piece of a file; the one with offset 0 begins the upload (again).

        Args:
            folder: Folder of the file.
            name: Name that the file will have.
            offset: Bytes that were sent before.
            data: At most ``PIECE_BYTES`` bytes, as such or as serpent sends them.
            uploader: 32 hex digits that no other uploader has.

        Raises:
            ValueError: an argument is not what it must be, or the piece does not follow the last.
            OSError: it cannot be written, e.g. because the disk is full; the upload is forgotten.
        """
        _check(folder, name, uploader)
        self.permit(folder)
        piece = _bytes(data)
        _check_number("offset", offset, checkpoint_names.MAX_FILE_BYTES - len(piece))
        key = UploadKey(folder, name, uploader, speakers.party())
        try:
            with _in_words(key.path, "written"):
                self._uploads.append(key, offset, piece)
        except OSError as error:
            _log.warning("%s", error)
            raise

    def keep(self, folder: str, name: str, size: int, sha256: str, uploader: str) -> bool:
        """Ends an upload: the file appears under its name, whole and on disk.

        If the file is a checkpoint, ``epoch-<n>.npz``, those of fewer epochs in its folder are
        removed.

        Returns:
            True, when all that is done.

        Raises:
            ValueError: an argument is not what it must be, or the bytes are not those announced.
            OSError: it cannot be brought to disk. In any case the upload is forgotten.
        """
        _check(folder, name, uploader)
        self.permit(folder)
        key = UploadKey(folder, name, uploader, speakers.party())
        with _in_words(key.path, "written"):
            self._uploads.finish(key, size, sha256)
        return True


def _token(run_dir: Path) -> str:
    """Reads the run's token, or makes one; a token that was cut short is made again."""
    path = run_dir / checkpoint_names.TOKEN_FILE
    with contextlib.suppress(FileNotFoundError):
        if checkpoint_names.is_token(
            token := read_regular(path).decode("ascii", errors="replace").strip()
        ):
            return token
    token = secrets.token_hex(16)
    write_whole(path, f"{token}\n", within=run_dir)
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
    """Bytes that serpent sent as bytes or, by default, as a dictionary with base64 in it."""
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
def _in_words(path: str, done: str) -> Iterator[None]:
    """Turns an OSError into one that says in a sentence what could not be done, and where."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise OSError(f"{path} cannot be {done} at the master: {reason}") from None
