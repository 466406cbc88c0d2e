"""Whether a file is as it was written.

A *sealed* file ends with the hash of all that comes before. A zip archive has a sum for each part,
and a list of its parts.
"""

import contextlib
import errno
import hashlib
import os
import re
import struct
import zipfile
from collections.abc import Iterator
from typing import BinaryIO

SEAL_BYTES = 71
"""Length of a seal."""
_MOST_UNPACKED = 20
"""Times its size that an archive of numbers may unpack to; more is made to do harm."""

_SEAL = re.compile(rb"sha256:([0-9a-f]{64})")
_BLOCK_BYTES = 1024 * 1024


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
