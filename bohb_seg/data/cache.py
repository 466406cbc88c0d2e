"""Decoded images and labels on disk, so that they are decoded once.

Below ``--cache-dir`` lies one folder per fingerprint, that is per content of the files and settings
that change pixels. It is a :class:`~bohb_seg.data.store.arrays.Store` with ``records.json``, the
facts about its images. The folder is built under another name and renamed when it is whole.
Processes that build the same folder at once do the work twice, and the first to finish wins.
"""

import contextlib
import hashlib
import json
import logging
import shutil
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path

from pydantic import TypeAdapter

from bohb_seg.data.collection import Collection
from bohb_seg.data.decoding import Reading, decode_into
from bohb_seg.data.foretelling import foretell
from bohb_seg.data.imagery.damage import decoder_warnings
from bohb_seg.data.imagery.facts import is_mistagged
from bohb_seg.data.pixels import LARGEST_RASTER
from bohb_seg.data.records import Record, refuse
from bohb_seg.data.store.arrays import Store, StoreWriter
from bohb_seg.data.store.forecast import duration
from bohb_seg.errors import DataError
from bohb_seg.files import LARGEST_RECORD, open_regular, read_regular, whole_folder
from bohb_seg.machine import processors

FORMAT = 3
"""Version of decoding; raised with every change of it, so that no older cache is read."""

_RECORDS = "records.json"
_SILENT = "TIFF", "JPEG 2000"
"""Containers of which nobody hears the decoders."""
_SECONDS_BETWEEN_PROGRESS = 3.0
_SECONDS_UNTIL_DEAD = 3600.0
"""Time without a write after which nobody builds a folder any more."""
_RECORD_LIST = TypeAdapter(tuple[Record, ...])

Stamp = tuple[int, int]
"""Size of a file in bytes, and the time of its last change in nanoseconds."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Decoded:
    """A folder of the cache; image ``i`` of the store belongs to ``records[i]``."""

    store: Store
    records: tuple[Record, ...]


@dataclass(frozen=True)
class Digests:
    """Hashes of the contents of every pair's files, in the order of the pairs.

    Args:
        images: Of the images.
        masks: Of the labels.
        stamps: Size and time of each file before it was hashed.
    """

    images: tuple[bytes, ...]
    masks: tuple[bytes, ...]
    stamps: Mapping[Path, Stamp] = field(default_factory=dict)


def digests(collection: Collection) -> Digests:
    """Hashes all files, at about 1 GB/s; decoding them is much slower."""
    pairs = collection.pairs
    files = {file for pair in pairs for file in (pair.image, *pair.label_files)}
    stamps = {file: _stamp(file) for file in files}
    with _pool() as pool:
        known = dict(zip(files, pool.map(_digest, files), strict=True))
    return Digests(
        tuple(known[pair.image] for pair in pairs),
        tuple(b"".join(known[file] for file in pair.label_files) for pair in pairs),
        stamps,
    )


def fingerprint(collection: Collection, contents: Digests, reading: Reading) -> str:
    """Hex digest of all that the decoded pixels follow from, wherever the files lie."""
    names = [pair.name for pair in collection.pairs]
    files = [content.hex() for content in contents.images + contents.masks]
    code = asdict(collection.code)
    by_name = code.pop("by_name")
    kinds = sorted({type(pair.labels).__name__ for pair in collection.pairs if pair.labels})
    # Only where it is not as in the first version, so that its runs go on.
    seldom = {
        "bands": reading.bands,
        "align": reading.align or None,
        "labels": [kinds, by_name, reading.class_field] if kinds else None,
    }
    said = [{name: fact for name, fact in seldom.items() if fact}]
    return hex_digest([1, reading.downscale, code, names, files, *filter(None, said)])


def hex_digest(facts: object) -> str:
    """Hex digest of plain values."""
    return hashlib.blake2b(json.dumps(facts).encode(), digest_size=16).hexdigest()


def open_or_build(
    cache_dir: Path,
    key: str,
    collection: Collection,
    reading: Reading,
    stamps: Mapping[Path, Stamp] | None = None,
) -> Decoded:
    """Opens the folder of the cache for ``key``; decodes all pairs into it if it is not there.

    Args:
        cache_dir: The cache.
        key: The fingerprint.
        collection: The files.
        reading: The settings by which they become pixels.
        stamps: Of the files that were hashed for the key, which must be those that are decoded.

    Raises:
        DataError: files cannot be decoded, or change meanwhile, or the cache cannot be written.
    """
    folder = cache_dir / f"{key}-{FORMAT}"
    found = _open(folder)
    if found and not collection.problems:
        return found
    _remove_remains(cache_dir)
    foretell(cache_dir, collection, reading)
    try:
        with whole_folder(folder) as building:
            _build(building, collection, reading)
            _refuse_changed(stamps or {})
    except OSError as error:
        raise DataError(
            f"--cache-dir {cache_dir} cannot be written ({error.strerror or error});"
            " choose another or make room"
        ) from None
    built = _open(folder)
    assert built, f"{folder} was published but is not whole"
    return built


def _remove_remains(cache_dir: Path) -> None:
    """Removes what processes left that were killed while they built; each may be a whole copy."""
    for folder in cache_dir.glob(f".*-{'?' * 32}-*"):
        with contextlib.suppress(OSError):
            last = max(path.lstat().st_mtime for path in (folder, *folder.iterdir()))
            if time.time() - last > _SECONDS_UNTIL_DEAD:
                shutil.rmtree(folder, ignore_errors=True)


def _refuse_changed(stamps: Mapping[Path, Stamp]) -> None:
    """Refuses what would be kept for good under the hash of another content."""
    for file, stamp in stamps.items():
        if _stamp(file) != stamp:
            raise DataError(f"{file} changed while it was read; start again when it is whole")


def _stamp(file: Path) -> Stamp:
    try:
        status = file.stat()
    except OSError:
        return 0, 0  # told when it is read
    return status.st_size, status.st_mtime_ns


def _open(folder: Path) -> Decoded | None:
    """The cache folder if it is whole; removes it if it is not (a crash of the machine)."""
    try:
        content = read_regular(folder / _RECORDS, LARGEST_RECORD)
        kept = json.loads(content)
        records = _RECORD_LIST.validate_python(kept["records"])
        store = Store.open(folder) if kept["sum"] == _sum(kept["records"]) else None
    except (OSError, ValueError, KeyError, TypeError):
        store = None
    if store is None:
        shutil.rmtree(folder, ignore_errors=True)
        return None
    return Decoded(store, records)


def _build(folder: Path, collection: Collection, reading: Reading) -> None:
    records = _decoded(folder, collection, reading)
    if _doubtful_alpha(records):
        records = _decoded(folder, collection, replace(reading, alpha_is_data=True))
    _refuse_mixed(records)
    plain = [asdict(record) for record in _with_complaints(records, collection)]
    kept = {"records": plain, "sum": _sum(json.loads(json.dumps(plain)))}
    (folder / _RECORDS).write_text(json.dumps(kept), encoding="ascii")


def _sum(records: object) -> int:
    """Checksum of the records, in which any other digit would be believed."""
    return zlib.crc32(json.dumps(records).encode())


def _decoded(folder: Path, collection: Collection, reading: Reading) -> list[Record]:
    # Here, because several threads at once would each build the table.
    _ = reading.code.colour_table
    writer = StoreWriter(folder)
    numbers = range(len(collection.pairs))
    with _pool() as pool:
        decode = partial(decode_into, writer, reading=reading)
        sizes = [_size(pair.image) for pair in collection.pairs]
        outcomes = list(_with_progress(pool.map(decode, numbers, collection.pairs), sizes))
    problems = [outcome for outcome in outcomes if isinstance(outcome, str)]
    refuse((*collection.problems, *problems))
    writer.finish()
    return [outcome for outcome in outcomes if isinstance(outcome, Record)]


def _with_complaints(records: Sequence[Record], collection: Collection) -> Iterator[Record]:
    """The same records with what the decoders of ordinary files complained of."""
    ordinary = [not record.facts.codec.startswith(_SILENT) for record in records]
    files = [each.image for each, heard in zip(collection.pairs, ordinary, strict=True) if heard]
    said = decoder_warnings(files)
    for record, pair in zip(records, collection.pairs, strict=True):
        warnings = *record.facts.warnings, *said.get(pair.image, ())
        yield replace(record, facts=replace(record.facts, warnings=warnings))


def _doubtful_alpha(records: Sequence[Record]) -> bool:
    """Whether one image has shown that the others' alpha is no transparency either."""
    shown = any(is_mistagged(record.facts) for record in records)
    return shown and any(record.facts.alpha is not None for record in records)


def _refuse_mixed(records: Sequence[Record]) -> None:
    first = records[0]
    for record in records:
        if (record.dtype, len(record.bands)) != (first.dtype, len(first.bands)):
            forms = [f"{len(each.bands)} bands of {each.facts.dtype}" for each in (record, first)]
            raise DataError(
                f"{record.name} has {forms[0]}, but {first.name} has {forms[1]}; choose --bands"
                " that all have, and store all images in one type"
            )


def _with_progress(
    outcomes: Iterator[Record | str], sizes: Sequence[int]
) -> Iterator[Record | str]:
    """Tells from time to time how far it is; a file's bytes tell how long it takes."""
    started = told = time.monotonic()
    done, total = 0, sum(sizes)
    for count, (outcome, size) in enumerate(zip(outcomes, sizes, strict=True), start=1):
        now, done = time.monotonic(), done + size
        if count < len(sizes) and now - told > _SECONDS_BETWEEN_PROGRESS:
            told, left = now, (now - started) * (total - done) / max(1, done)
            _log.info("decoded %d of %d images, about %s left", count, len(sizes), duration(left))
        yield outcome


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _pool() -> ThreadPoolExecutor:
    # Threads suffice: OpenCV, hashing and files release the interpreter's lock.
    return ThreadPoolExecutor(processors())


def _digest(path: Path) -> bytes:
    try:
        with open_regular(path, LARGEST_RASTER) as file:
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).digest()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from None
