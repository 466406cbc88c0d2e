"""Files that arrive piece by piece, from several workers at once.

Pieces go to a hidden file of their upload alone and must follow one another. The file gets its name
only when size and SHA-256 are right and its content is on disk. No call holds a lock that another
upload needs while it writes.

No uploader can take what others need: the bytes and files of a folder are bounded, a part of the
disk is left to the journal, slow uploads are forgotten, and when there are too many, one goes of
whoever has most.
"""

import contextlib
import errno
import hashlib
import math
import os
import secrets
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, NamedTuple, final

from bohb_seg.files import publish
from bohb_seg.storage.run_folders import RunFolders, names, opened_file
from bohb_seg.trials import checkpoint_epochs

MAX_UPLOADS = 32
"""Unfinished uploads at a time; another one takes the place of one, or is asked to try again."""
ABANDONED_AFTER = 60.0
"""Seconds without a piece after which an upload is forgotten; pieces follow within a call's 10."""
SLOWEST = 20_000
"""Bytes per second below which an upload is forgotten; a piece within a call's ten seconds is five
times faster."""
MAX_FILES = 100
"""Files of a folder; the comparison's, which has most, has less than ten."""
JOURNALS_SHARE, JOURNALS_BYTES = 0.02, 10**9
"""Share of the disk that uploads leave free for the journal, and bytes that are always enough."""
SYNC_BYTES = 16 * 1024 * 1024
"""Bytes after which an arriving file is brought to disk, so that :meth:`Uploads.finish` has little
left to wait for and stays far below a call's timeout however large the file is."""


class UploadKey(NamedTuple):
    """Place of a file and its uploader; an upload begins again under the same key.

    Args:
        folder: Folder of the file, relative to the run directory.
        name: Name that the file will have.
        uploader: Text that no other uploader has.
        party: Certificate or machine of the uploader; "" if that cannot be told.
    """

    folder: str
    name: str
    uploader: str
    party: str = ""

    @property
    def path(self) -> str:
        """Path that the file will have, relative to the run directory."""
        return f"{self.folder}/{self.name}"


@dataclass
class _Upload:
    """Pieces so far. The hidden file's name is its own, so a late call spoils no later upload."""

    file: str = field(default_factory=lambda: f".{secrets.token_hex(8)}.upload")
    size: int = 0
    digest: Any = field(default_factory=hashlib.sha256)
    begun: float = field(default_factory=time.monotonic)
    touched: float = field(default_factory=time.monotonic)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def is_over(self, now: float) -> bool:
        """Whether it was abandoned, or is too slow."""
        is_slow = now - self.begun > ABANDONED_AFTER + self.size / SLOWEST
        return is_slow or now - self.touched > ABANDONED_AFTER


@final
class Uploads:
    """The uploads that are under way.

    Args:
        folders: The folders to which files are uploaded.
        room: Bytes that each of them may hold.
    """

    def __init__(self, folders: RunFolders, room: float = math.inf) -> None:
        self._folders, self._room = folders, room
        self._uploads: dict[UploadKey, _Upload] = {}
        self._registry = threading.Lock()

    def append(self, key: UploadKey, offset: int, piece: bytes) -> None:
        """Takes the next piece of a file; a piece with offset 0 begins the upload (again).

        Args:
            key: The upload.
            offset: Bytes that came before.
            piece: Bytes of the file.

        Raises:
            ValueError: the piece does not follow the last, or too many uploads are under way.
            OSError: the piece cannot be written, or has no room; the upload is forgotten.
        """
        upload = self._begun(key) if offset == 0 else self._under_way(key)
        with upload.lock:
            if offset != upload.size:
                raise ValueError(
                    f"the piece of {key.path} begins at {offset}, but {upload.size} bytes"
                    " are here; begin again"
                )
            try:
                self._write(key, upload, piece)
            except OSError:
                self._forget(key, upload)
                raise

    def finish(self, key: UploadKey, size: int, sha256: str) -> None:
        """Ends an upload: the file appears under its name, whole and on disk.

        If the file is a checkpoint, those of fewer epochs in its folder are removed.

        Args:
            key: The upload.
            size: Size that the uploader announces, in bytes.
            sha256: SHA-256 that it announces, in hex.

        Raises:
            ValueError: there is no such upload, or other bytes came than are announced.
            OSError: the file cannot be brought to disk. In any case the upload is forgotten.
        """
        upload = self._under_way(key)
        with upload.lock:
            try:
                if (size, sha256) != (upload.size, upload.digest.hexdigest()):
                    raise ValueError(
                        f"{key.path} arrived as {upload.size} bytes that are not those"
                        " announced; begin again"
                    )
                with self._folders.opened(key.folder) as directory:
                    publish(upload.file, key.name, directory)
                    _remove_older(directory, key.name)
            finally:
                self._forget(key, upload)

    def _begun(self, key: UploadKey) -> _Upload:
        with self._registry:
            now = time.monotonic()
            over = {k: u for k, u in self._uploads.items() if k == key or u.is_over(now)}
            if len(self._uploads) - len(over) >= MAX_UPLOADS:
                over |= self._displaced_by(key.party)
        for old, upload in over.items():
            self._forget(old, upload)
        with self._registry:
            if len(self._uploads) >= MAX_UPLOADS:
                raise ValueError(f"{MAX_UPLOADS} other uploads are under way; try again later")
            return self._uploads.setdefault(key, _Upload())

    def _displaced_by(self, party: str) -> dict[UploadKey, _Upload]:
        """The stalest upload of the party that has most, if ``party`` has less even with one more.

        So whoever floods the master takes room from nobody else.
        """
        counts = Counter(key.party for key in self._uploads)
        ((largest, count),) = counts.most_common(1)
        if counts[party] + 1 >= count:
            return {}
        of_largest = (key for key in self._uploads if key.party == largest)
        stalest = min(of_largest, key=lambda key: self._uploads[key].touched)
        return {stalest: self._uploads[stalest]}

    def _under_way(self, key: UploadKey) -> _Upload:
        with self._registry:
            if (upload := self._uploads.get(key)) is None:
                raise ValueError(f"no upload of {key.path} is under way; begin again")
            return upload

    def _write(self, key: UploadKey, upload: _Upload, piece: bytes) -> None:
        create = os.O_CREAT | os.O_EXCL if upload.size == 0 else 0
        with (
            self._folders.opened(key.folder, create=True) as directory,
            opened_file(directory, upload.file, os.O_WRONLY | create) as file,
        ):
            self._demand_room(directory, len(piece))
            written = 0
            while written < len(piece):
                written += os.pwrite(file, piece[written:], upload.size + written)
            if (upload.size + len(piece)) // SYNC_BYTES > upload.size // SYNC_BYTES:
                os.fdatasync(file)
        upload.digest.update(piece)
        upload.size += len(piece)
        upload.touched = time.monotonic()

    def _demand_room(self, directory: int, size: int) -> None:
        """Makes sure that so many bytes more may come into an open folder.

        Raises:
            OSError: the folder or the disk has no room for them.
        """
        disk, sizes = os.fstatvfs(directory), _sizes(directory)
        free, whole = disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize
        if free - size < min(JOURNALS_SHARE * whole, JOURNALS_BYTES):
            raise OSError(errno.ENOSPC, "No space left but what the journal needs")
        if len(sizes) > MAX_FILES:
            raise OSError(errno.EDQUOT, f"its trial has {MAX_FILES} files already")
        if sum(sizes) + size > self._room:
            reason = f"its folder has no more than the {self._room / 1e9:g} GB of --trial-gb"
            raise OSError(errno.EDQUOT, reason)

    def _forget(self, key: UploadKey, upload: _Upload) -> None:
        """Removes an upload and its hidden file, if it is there."""
        with self._registry:
            if self._uploads.get(key) is upload:
                del self._uploads[key]
        with contextlib.suppress(OSError), self._folders.opened(key.folder) as directory:
            os.unlink(upload.file, dir_fd=directory)


def _sizes(directory: int) -> list[int]:
    """Bytes of each file of an open folder, hidden ones too."""
    found = []
    with os.scandir(directory) as entries:
        for entry in entries:
            with contextlib.suppress(FileNotFoundError):  # kept or forgotten meanwhile
                found.append(entry.stat(follow_symlinks=False).st_size)
    return found


def _remove_older(directory: int, name: str) -> None:
    """Removes the checkpoints of fewer epochs than the one of this name has."""
    if (kept := checkpoint_epochs(name)) is None:
        return
    for other in names(directory):
        epochs = checkpoint_epochs(other)
        if epochs is not None and epochs < kept:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(other, dir_fd=directory)
