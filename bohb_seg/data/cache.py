"""Decoded images and labels on disk, so that they are decoded once.

Below ``--cache-dir`` lies one folder per fingerprint, that is per content of the files and settings
that change pixels. It holds ``index.json`` and one array (height, width, 4) uint8 per image: red,
green, blue, label. The folder is built under another name and renamed when it is whole. Processes
that build the same folder at once do the work twice, and the first to finish wins.
"""

import hashlib
import json
import logging
import shutil
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from bohb_seg.data.collection import Collection, Pair
from bohb_seg.data.masks import MaskCode, decode
from bohb_seg.data.pixels import LARGEST, Pixels, read_image, refuse_torn, shrink
from bohb_seg.data.records import Record, refuse
from bohb_seg.errors import DataError
from bohb_seg.files import open_regular, read_regular, whole_folder
from bohb_seg.machine import processors
from bohb_seg.trials import IGNORE

FORMAT = 1
"""Version of decoding; raised with every change of it, so that no older cache is read."""

_INDEX = "index.json"
_SECONDS_BETWEEN_PROGRESS = 3.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Decoded:
    """A folder of the cache; ``pixels(i)`` belongs to ``records[i]``."""

    folder: Path
    records: tuple[Record, ...]

    def pixels(self, number: int) -> Pixels:
        """Red, green, blue and label, uint8, (height, width, 4)."""
        array: Pixels = np.load(_array(self.folder, number))
        return array


@dataclass(frozen=True)
class Digests:
    """Hashes of the contents of every pair's files, in the order of the pairs."""

    images: tuple[bytes, ...]
    masks: tuple[bytes, ...]


def digests(collection: Collection) -> Digests:
    """Hashes all files, at about 1 GB/s; decoding them is much slower."""
    with _pool() as pool:
        return Digests(
            tuple(pool.map(_digest, (pair.image for pair in collection.pairs))),
            tuple(pool.map(_digest, (pair.mask for pair in collection.pairs))),
        )


def fingerprint(collection: Collection, contents: Digests, downscale: int) -> str:
    """Hex digest of all that the decoded pixels follow from, wherever the files lie."""
    names = [pair.name for pair in collection.pairs]
    files = [content.hex() for content in contents.images + contents.masks]
    return hex_digest([FORMAT, downscale, asdict(collection.code), names, files])


def hex_digest(facts: object) -> str:
    """Hex digest of plain values."""
    return hashlib.blake2b(json.dumps(facts).encode(), digest_size=16).hexdigest()


def open_or_build(cache_dir: Path, key: str, collection: Collection, downscale: int) -> Decoded:
    """Opens the folder ``key`` of the cache; decodes all pairs into it if it is not there.

    Raises:
        DataError: files cannot be decoded, or the cache cannot be written.
    """
    folder = cache_dir / key
    found = _open(folder)
    if found and not collection.problems:
        return found
    try:
        with whole_folder(folder) as building:
            _build(building, collection, downscale)
    except OSError as error:
        raise DataError(
            f"--cache-dir {cache_dir} cannot be written ({error.strerror});"
            " choose another or make room"
        ) from None
    built = _open(folder)
    assert built, f"{folder} was published but is not whole"
    return built


def _open(folder: Path) -> Decoded | None:
    """The cache folder if it is whole; removes it if it is not (a crash of the machine)."""
    try:
        entries = json.loads(read_regular(folder / _INDEX, LARGEST))
        records = tuple(_record(entry) for entry in entries)
        whole = all(
            _array(folder, i).stat().st_size > 4 * record.size[0] * record.size[1]
            for i, record in enumerate(records)
        )
    except (OSError, ValueError, KeyError, TypeError):
        whole = False
    if not whole:
        shutil.rmtree(folder, ignore_errors=True)
        return None
    return Decoded(folder, records)


def _record(entry: Mapping[str, object]) -> Record:
    return Record(
        **{  # type: ignore[arg-type]
            key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()
        }
    )


def _build(folder: Path, collection: Collection, downscale: int) -> None:
    # Here, because several threads at once would each build the table.
    _ = collection.code.colour_table
    targets = [_array(folder, number) for number in range(len(collection.pairs))]
    with _pool() as pool:
        running = pool.map(
            lambda target, pair: _decode_into(target, pair, collection.code, downscale),
            targets,
            collection.pairs,
        )
        outcomes = list(_with_progress(running, len(targets)))
    problems = [outcome for outcome in outcomes if isinstance(outcome, str)]
    refuse((*collection.problems, *problems))
    records = [asdict(outcome) for outcome in outcomes if isinstance(outcome, Record)]
    (folder / _INDEX).write_text(json.dumps(records))


def _decode_into(target: Path, pair: Pair, code: MaskCode, downscale: int) -> Record | str:
    """Decodes one pair; returns a sentence if its files cannot be used."""
    try:
        image = read_image(read_regular(pair.image, LARGEST))
    except (ValueError, OSError) as error:
        return f"{pair.name} cannot be read: {_reason(error)}"
    mask_name = f"its mask {pair.mask.name}"
    try:
        content = read_regular(pair.mask, LARGEST)
        refuse_torn(content)
        mask = decode(content, code)
    except (ValueError, OSError) as error:
        return f"{pair.name}: {mask_name} cannot be read: {_reason(error)}"
    if image.shape[:2] != mask.labels.shape:
        return (
            f"{pair.name} is {_size(image.shape)} pixels but {mask_name} is"
            f" {_size(mask.labels.shape)}; they must be equal"
        )
    small_image, labels = shrink(image, mask.labels, downscale)
    np.save(target, np.dstack([small_image, labels]))
    counts = np.bincount(labels.ravel(), minlength=IGNORE + 1)
    return Record(
        name=pair.name,
        group=pair.group,
        size=(labels.shape[0], labels.shape[1]),
        original=(image.shape[0], image.shape[1]),
        pixels=(*counts[: len(code.classes.names)].tolist(), int(counts[IGNORE])),
        unknown=mask.unknown,
        palette=mask.palette,
    )


def _with_progress(outcomes: Iterator[Record | str], total: int) -> Iterator[Record | str]:
    told = time.monotonic()
    for done, outcome in enumerate(outcomes, start=1):
        if time.monotonic() - told > _SECONDS_BETWEEN_PROGRESS:
            told = time.monotonic()
            _log.info("decoded %d of %d images", done, total)
        yield outcome


def _pool() -> ThreadPoolExecutor:
    # Threads suffice: OpenCV, hashing and files release the interpreter's lock.
    return ThreadPoolExecutor(processors())


def _digest(path: Path) -> bytes:
    try:
        with open_regular(path, LARGEST) as file:
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).digest()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {_reason(error)}") from None


def _array(folder: Path, number: int) -> Path:
    return folder / f"{number:05d}.npy"


def _reason(error: Exception) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else f"the file {error}"


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]}"
