"""Single files, from the master's storage to this machine and back, piece by piece."""

import hashlib
from collections.abc import Callable
from io import BufferedReader
from pathlib import Path
from typing import Any, BinaryIO

import serpent

from bohb_seg.files import open_regular, write_whole
from bohb_seg.files.integrity import check_seal
from bohb_seg.rpc import checkpoint_names

Progressed = Callable[[], None]
"""Called after every piece; whatever it raises ends the transfer."""


def download_folder(storage: Any, folder: str, target: Path, progressed: Progressed) -> None:
    """Makes the files that the master has in a folder lie in ``target`` too.

    A file that lies there with the same content is not transferred.

    Args:
        storage: Proxy of the master's storage.
        folder: Folder at the master, relative to the run directory.
        target: Folder on this machine.
        progressed: Called after every piece.

    Raises:
        ValueError: the master announces what cannot be, or sends other bytes than it announced.
        OSError: the master or this machine cannot read or write a file.
    """
    for name, (size, sha256) in storage.stored(folder).items():
        if not checkpoint_names.is_name(name):
            raise ValueError(f"the master has a file {name!r:.100}; its name cannot be used")
        if not _holds(target / name, sha256):
            _download(storage, folder, target / name, (size, sha256), progressed)


def upload(
    storage: Any,
    folder: str,
    name: str,
    file: BufferedReader,
    uploader: str,
    progressed: Progressed,
) -> None:
    """Makes a file lie in a folder at the master too, unless it does.

    Args:
        storage: Proxy of the master's storage.
        folder: Folder at the master, relative to the run directory.
        name: Name of the file there.
        file: The whole content.
        uploader: 32 hex digits that no other uploader has.
        progressed: Called after every piece.

    Raises:
        ValueError: the master refuses the file, or its bits are not those that were sealed.
        OSError: the master cannot write it.
    """
    check_seal(file)  # else a damaged checkpoint would take the place of a whole one
    file.seek(0)
    sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    size = file.tell()
    if storage.stored(folder).get(name) == [size, sha256]:
        return
    file.seek(0)
    for offset in range(0, max(size, 1), checkpoint_names.PIECE_BYTES):
        piece = file.read(checkpoint_names.PIECE_BYTES)
        storage.store(folder, name, offset, piece, uploader)
        progressed()
    storage.keep(folder, name, size, sha256, uploader)


def _download(
    storage: Any, folder: str, path: Path, announced: tuple[int, str], progressed: Progressed
) -> None:
    def receive(file: BinaryIO) -> None:
        digest, size = hashlib.sha256(), 0
        while piece := serpent.tobytes(storage.fetch(folder, path.name, size)):
            file.write(piece)
            digest.update(piece)
            size += len(piece)
            progressed()
        if (size, digest.hexdigest()) != announced:
            raise ValueError(f"{folder}/{path.name} did not arrive as the master announced it")

    write_whole(path, receive, durable=False)  # should this machine fail, the master has it


def _holds(path: Path, sha256: object) -> bool:
    try:
        with open_regular(path, checkpoint_names.MAX_FILE_BYTES) as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256
    except OSError:
        return False
