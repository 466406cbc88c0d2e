"""The survey of all windows, which reads every pixel: made once, and kept beside the store."""

import contextlib
import zipfile

import numpy as np

from bohb_seg.data.store.windows import Survey, Windows, survey
from bohb_seg.files import write_whole


def surveyed(windows: Windows, crop: bool, classes: int) -> Survey:
    """Facts about windows that were laid over a store, from its folder or found now.

    Args:
        windows: All windows of one size.
        crop: Whether they were laid so, see :func:`bohb_seg.data.store.windows.laid`.
        classes: Number of classes.

    Raises:
        DataError: the store is damaged, or cannot be read.
    """
    file = windows.store.folder / f"windows-{windows.size}{'-cropped' if crop else ''}.npz"
    with contextlib.suppress(OSError, ValueError, KeyError, zipfile.BadZipFile):
        with np.load(file, allow_pickle=False) as kept:
            found = Survey(kept["pixels"], kept["informative"])
        if found.pixels.shape == (len(windows), classes) and len(found.informative) == len(windows):
            return found
    found = survey(windows, classes)
    arrays = {"pixels": found.pixels, "informative": found.informative}
    with contextlib.suppress(OSError):  # somebody else's cache, or a full disk: it is found again
        write_whole(
            file, lambda out: np.savez(out, **arrays), durable=False, within=windows.store.folder
        )
    return found
