"""Tells what preparing a data set will take, before it begins: from headers and a few samples."""

import logging
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from bohb_seg import machine
from bohb_seg.data.collection import Collection, Pair
from bohb_seg.data.decoding import WHOLE_BYTES, Reading, shrink, stored_type
from bohb_seg.data.imagery import geotiff
from bohb_seg.data.imagery.facts import Facts
from bohb_seg.data.imagery.glance import glance
from bohb_seg.data.imagery.reader import chosen_bands, open_image
from bohb_seg.data.labels.mask_file import MaskFile
from bohb_seg.data.store.forecast import Forecast, Header, forecast, sampled_rate
from bohb_seg.errors import DataError

SAMPLE_ROWS = 1024
"""Rows of a large image that are decoded as a sample."""
LARGEST_MASK_SAMPLE = 1 << 24
"""Pixels of a mask that is decoded as a sample; a larger one takes as long as its image, about."""
BATCH = 16, 256
"""Patches of a batch and the edge of a patch, by which memory for training is told."""
BLOCK_CACHE = 20
"""Up to a 20th of memory is told for what GDAL keeps, its own default; our readers allow less."""

_log = logging.getLogger(__name__)


def foretell(cache_dir: Path, collection: Collection, reading: Reading) -> None:
    """Logs the forecast of what decoding a data set takes; as warnings where there is too little.

    Files whose headers say nothing are left out; decoding will name them.
    """
    told = _forecast(collection, reading)
    if told is None:
        return
    free, memory = _free(cache_dir), max(1, machine.memory_gb()) << 30
    for sentence, is_enough in told.judged(str(cache_dir), free, memory):
        _log.log(logging.INFO if is_enough else logging.WARNING, "%s", sentence)


def _forecast(collection: Collection, reading: Reading) -> Forecast | None:
    """The forecast; None if no header says anything."""
    with ThreadPoolExecutor(machine.processors()) as pool:
        glances = list(pool.map(_glanced, collection.pairs))
    known = [(pair, facts) for pair, facts in zip(collection.pairs, glances, strict=True) if facts]
    if not known:
        return None
    headers = [_header(facts, reading) for _, facts in known]
    rate = sampled_rate(
        [round(_sampled(*each)) for each in zip(known, headers, strict=True)],
        lambda number: _decode_some(*known[number], headers[number], reading),
    )
    threads = machine.processors()
    kept = (machine.memory_gb() << 30) // BLOCK_CACHE
    return forecast(headers, threads=threads, batch=BATCH, rate=rate, block_cache=kept)


def _sampled(known: tuple[Pair, Facts], header: Header) -> float:
    """Pixels of a sample, as shares of what decoding does with them."""
    facts = known[1]
    pixels = _rows(facts, header) * facts.width
    # Ordinary files are decoded once more, to hear what their decoders complain of.
    share = 1.0 if _is_raster(facts) else 0.5
    return pixels * share * (1 if header.pixels <= LARGEST_MASK_SAMPLE else 0.5)


def _rows(facts: Facts, header: Header) -> int:
    return min(SAMPLE_ROWS, facts.height) if header.by_window else facts.height


def _glanced(pair: Pair) -> Facts | None:
    try:
        return glance(pair.image)
    except (ValueError, OSError):
        return None


def _header(facts: Facts, reading: Reading) -> Header:
    factor = reading.downscale
    size = facts.height * facts.width * facts.bands * np.dtype(facts.dtype).itemsize
    return Header(
        height=max(1, facts.height // factor),
        width=max(1, facts.width // factor),
        bands=_bands(facts, reading),
        dtype=stored_type(facts),
        by_window=_is_raster(facts) and size > WHOLE_BYTES,
        downscale=factor,
    )


def _bands(facts: Facts, reading: Reading) -> int:
    # A header does not say names, which --bands may hold.
    return len(reading.bands.split(",")) if reading.bands else len(chosen_bands(facts))


def _is_raster(facts: Facts) -> bool:
    return facts.codec.startswith(("TIFF", "JPEG 2000")) and geotiff.available()


def _decode_some(pair: Pair, facts: Facts, header: Header, reading: Reading) -> None:
    """Decodes the beginning of a pair as decoding does; what fails took its time, too."""
    try:
        with open_image(pair.image, alpha_is_data=reading.alpha_is_data) as image:
            bands = chosen_bands(image.facts, reading.bands)
            rows = _rows(facts, header)
            values = image.window(0, 0, rows, image.facts.width, bands).values
            labels = np.zeros(values.shape[:2], np.uint8)
            if header.pixels <= LARGEST_MASK_SAMPLE:
                source = pair.labels or MaskFile(pair.mask, reading.align)
                with source.open(image.facts, reading.code) as opened:
                    labels = opened.rows(0, rows)
        if labels.shape == values.shape[:2]:
            shrink(values, labels, reading.downscale)
    except (ValueError, OSError, DataError):
        pass


def _free(folder: Path) -> int:
    """Bytes that are free where a folder is, or will be."""
    there = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    return shutil.disk_usage(there).free
