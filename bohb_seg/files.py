"""Writes a file whole or not at all."""

import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO


def write_whole(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Lets ``write`` fill a file that appears under ``path`` only when it is whole and on disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not by process id alone: in containers all are 1, and a lost attempt may write the same file.
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        with temporary.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
