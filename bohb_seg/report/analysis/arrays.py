"""Arrays that workers wrote: read only if they have the form that the run itself leads to expect.

A file may be damaged, and a few kilobytes may unpack to gigabytes. So the header of an array is
read first, and never more than the array that the run's own settings and data tell beforehand.
"""

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
import numpy.typing as npt

from bohb_seg.errors import BohbSegError
from bohb_seg.files import open_regular
from bohb_seg.files.integrity import check_parts

_FORMAT: Any = np.lib.format
"""The library's reader, which has no types."""
LARGEST_FILE: Final = 1 << 34
"""Bytes; a file is looked into piece by piece, so its size alone does no harm."""
MOST_LETTERS: Final = 4096
"""Letters of a text in an array: a path is no longer."""


class DamagedArrayError(BohbSegError):
    """An array cannot be used; the report says so in the place of what would be made of it."""


@dataclass(frozen=True)
class Form:
    """Expected form of an array.

    Args:
        kind: Kind of its elements: ``uint8``, ``int64`` or ``str``.
        shape: Its shape.
    """

    kind: str
    shape: tuple[int, ...]

    def fits(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> bool:
        """Whether an array has this form."""
        if self.kind == "str":
            right = dtype.kind == "U" and dtype.itemsize <= 4 * MOST_LETTERS
        else:
            right = dtype == np.dtype(self.kind)
        return right and shape == self.shape


def names(file: Path) -> frozenset[str]:
    """Names of the arrays of an ``.npz`` file.

    Raises:
        DamagedArrayError: it cannot be read.
    """
    try:
        with open_regular(file, LARGEST_FILE) as stream:
            return frozenset(name.removesuffix(".npy") for name in check_parts(stream))
    except Exception as error:  # the library raises many kinds
        raise _damaged(file, error) from error


def read(file: Path, name: str, form: Form) -> npt.NDArray[Any]:
    """Reads an array of an ``.npz`` file.

    Args:
        file: The file.
        name: Name of the array in it.
        form: Form that it must have.

    Raises:
        DamagedArrayError: it is not there, cannot be read, or has another form.
    """
    try:
        with open_regular(file, LARGEST_FILE) as stream, zipfile.ZipFile(stream) as archive:
            with archive.open(f"{name}.npy") as member:
                fits = form.fits(*_header(member))
            if fits:
                with archive.open(f"{name}.npy") as member:
                    return np.asarray(_FORMAT.read_array(member, allow_pickle=False))
    except Exception as error:  # the library raises many kinds
        raise _damaged(file, error) from error
    raise DamagedArrayError(f"{file}: the array {name} is not of the form that belongs to this run")


def _header(member: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = _FORMAT.read_magic(member)
    if version == (1, 0):
        shape, _, dtype = _FORMAT.read_array_header_1_0(member)
    else:
        shape, _, dtype = _FORMAT.read_array_header_2_0(member)
    return shape, dtype


def _damaged(file: Path, error: Exception) -> DamagedArrayError:
    if isinstance(error, OSError) and error.strerror:
        return DamagedArrayError(f"{file} cannot be read: {error.strerror}")
    return DamagedArrayError(f"{file} is damaged ({error})")
