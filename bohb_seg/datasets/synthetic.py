"""Synthetic aerial scenes, so that everything runs without a download.

There are 48 tiles of two touching images of 64 x 64 pixels. 34 tiles train, seven validate and
seven test: enough groups of test images to tell how much a verdict depends on them. The scenes are
written once below ``--cache-dir``, in the layout of any other data folder, and are then loaded like
one.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import yaml

from bohb_seg import plugins
from bohb_seg.data.classes import DUBAI, FILE_NAME, rgb
from bohb_seg.data.collection import Collection
from bohb_seg.data.pixels import Pixels
from bohb_seg.datasets._scenes import tile
from bohb_seg.errors import DataError
from bohb_seg.files import whole_folder
from bohb_seg.machine import processors
from bohb_seg.settings import DataSettings

IMAGES_PER_TILE = 2


class Edition(NamedTuple):
    """Number of tiles, and height and width of an image in pixels."""

    tiles: int
    height: int
    width: int


EDITIONS: Mapping[str, Edition] = {"1": Edition(12, 192, 128), "2": Edition(48, 64, 64)}
"""All scenes there have been; runs of earlier versions go on with theirs (``synthetic:1``)."""
PRESENT = "2"

SEED = 0


def load(settings: DataSettings) -> Collection:
    """Draws the scenes if they are not in the cache yet, and finds their files.

    Raises:
        DataError: there is no such edition, or the cache cannot be written.
    """
    edition = EDITIONS.get(settings.data or PRESENT)
    if edition is None:
        raise DataError(f"--data synthetic:{settings.data}: it reads no path; use --data synthetic")
    place = settings.cache_dir / f"synthetic-{settings.data or PRESENT}"
    if not place.is_dir():
        try:
            make(place, *edition)
        except OSError as error:
            raise DataError(
                f"--cache-dir {settings.cache_dir} cannot be written ({error.strerror});"
                " choose another or make room"
            ) from None
    found: Collection = plugins.call(
        "datasets", "folder", settings.model_copy(update={"data": str(place)})
    )
    return found


def make(
    place: Path,
    tiles: int = EDITIONS[PRESENT].tiles,
    height: int = EDITIONS[PRESENT].height,
    width: int = EDITIONS[PRESENT].width,
    seed: int = SEED,
) -> int:
    """Writes a data folder of scenes, whole or not at all; returns the number of images.

    Args:
        place: The folder; must not exist, or must be empty.
        tiles: Number of groups of touching images, named "Tile 1", "Tile 2", ...
        height: Height of an image in pixels.
        width: Width of an image in pixels; each tile is two images side by side.
        seed: Seed of the scenes.

    Raises:
        OSError: the folder cannot be written.
    """
    with whole_folder(place) as building, ThreadPoolExecutor(processors()) as pool:
        (building / FILE_NAME).write_text(class_table(), encoding="utf-8")
        list(
            pool.map(
                lambda number: _write_tile(
                    building, number, tile(seed, number, height, width * IMAGES_PER_TILE)
                ),
                range(1, tiles + 1),
            )
        )
    return tiles * IMAGES_PER_TILE


def class_table() -> str:
    """The class table of the scenes as a ``classes.yaml``, an example for other data sets."""
    entries = [entry.model_dump(exclude_none=True, exclude_defaults=True) for entry in DUBAI]
    return yaml.safe_dump(entries, sort_keys=False)


def _write_tile(root: Path, number: int, drawn: tuple[Pixels, Pixels]) -> None:
    photograph, labels = drawn
    width = labels.shape[1] // IMAGES_PER_TILE
    colours = np.array([rgb(entry.packed_colour or 0) for entry in DUBAI], np.uint8)
    for part in range(IMAGES_PER_TILE):
        piece = np.s_[:, part * width : (part + 1) * width]
        name = f"part_{part + 1:03d}.png"
        _write(root / f"Tile {number}" / "images" / name, photograph[piece])
        _write(root / f"Tile {number}" / "masks" / name, colours[labels[piece]])


def _write(path: Path, image: Pixels) -> None:
    # PNG, not JPEG: the scenes' fingerprint must not depend on the encoder of a machine.
    written, content = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    assert written, f"no PNG could be made for {path}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.tobytes())
