"""Facts that take reading every pixel: found once, and kept beside the store."""

import contextlib
import hashlib
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bohb_seg.data.imagery.scaling import Scaling
from bohb_seg.data.imagery.scaling import Survey as ValueSurvey
from bohb_seg.data.records import Record
from bohb_seg.data.store.windows import Survey, Windows, survey
from bohb_seg.files import Content, read_regular, write_whole
from bohb_seg.trials import IGNORE


def surveyed(windows: Windows, crop: bool, classes: int) -> Survey:
    """Facts about windows that were laid over a store.

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
    _keep(file, lambda out: np.savez(out, **arrays))
    return found


def scaling_of(train: Windows, records: Sequence[Record]) -> Scaling:
    """The scale of the values of the training part, by its labelled pixels.

    Args:
        train: The windows that are trained on.
        records: Facts about the images.

    Raises:
        DataError: no such pixel holds data; or the store is damaged, or cannot be read.
    """
    dtype = records[0].dtype
    if dtype == "uint8":
        return Scaling(dtype)
    places = hashlib.blake2b(train.places.tobytes(), digest_size=8).hexdigest()
    file = train.store.folder / f"scale-{train.size}-{places}.json"
    with contextlib.suppress(OSError, ValueError):
        return Scaling.from_json(json.loads(read_regular(file)))
    found = ValueSurvey(dtype, len(records[0].bands))
    for number, (image, row, column) in enumerate(train.places.tolist()):
        (values,), (labels,) = train.read([number])
        valid = labels != IGNORE
        if dtype == "float32":
            valid &= np.isfinite(values).all(axis=2)
        found.add(values, valid, f"{records[image].name}@{row},{column}")
    scaling = found.scaling()
    _keep(file, json.dumps(scaling.to_json()))
    return scaling


def _keep(file: Path, content: Content) -> None:
    with contextlib.suppress(OSError):  # somebody else's cache, or a full disk: it is found again
        write_whole(file, content, durable=False, within=file.parent)
