"""A folder of ``images/`` and ``masks/`` twins, at any depth.

A mask belongs to the image with the same path below its twin and the same stem::

    Tile 1/images/part_001.jpg   <->   Tile 1/masks/part_001.png
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bohb_seg.data.classes import entries_for
from bohb_seg.data.collection import Collection, Pair
from bohb_seg.data.masks import mask_code
from bohb_seg.errors import DataError
from bohb_seg.settings import DataSettings

SUFFIXES = {".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp"}


def load(settings: DataSettings) -> Collection:
    """Finds the pairs below the folder ``settings.data``, at any depth.

    Raises:
        DataError: it holds no images, no masks or no usable class table.
    """
    root = Path(settings.data).expanduser()
    twins = tuple(_twins(root))
    images = {path for twin in twins for path in twin.images.values()}
    if not images:
        raise DataError(f"{root} holds no images; it must hold folders images/ and masks/")
    if not any(twin.masks for twin in twins):
        raise DataError(
            f"{root} holds {len(images)} images but no masks;"
            " put a folder masks/ beside each images/"
        )
    pairs = sorted((pair for twin in twins for pair in twin.pairs(root)), key=lambda p: p.name)
    problems = sorted(problem for twin in twins for problem in twin.problems(root))
    code = mask_code(entries_for(root, settings.classes), settings.preset)
    return Collection(root, tuple(pairs), tuple(problems), code)


@dataclass(frozen=True)
class _Twin:
    """One ``images/`` and its ``masks/``: their files by relative path without suffix."""

    parent: Path
    images: Mapping[str, Path]
    masks: Mapping[str, Path]
    doubled: tuple[Path, ...]

    def pairs(self, root: Path) -> Iterator[Pair]:
        group = self.parent.relative_to(root).as_posix()
        for key in self.images.keys() & self.masks.keys():
            image = self.images[key]
            yield Pair(image.relative_to(root).as_posix(), group, image, self.masks[key])

    def problems(self, root: Path) -> Iterator[str]:
        here = self.parent.relative_to(root)
        for key in self.images.keys() - self.masks.keys():
            name = self.images[key].relative_to(root).as_posix()
            yield f"{name} has no mask; expected {(here / 'masks' / key).as_posix()}.png"
        for key in self.masks.keys() - self.images.keys():
            name = self.masks[key].relative_to(root).as_posix()
            yield f"{name} has no image; expected {(here / 'images' / key).as_posix()}.jpg"
        for path in self.doubled:
            name = path.relative_to(root).as_posix()
            yield f"{name} has the same name as another file but for its suffix; remove one"


def _twins(root: Path) -> Iterator[_Twin]:
    for place, folders, _ in os.walk(root):
        parent = Path(place)
        if {"images", "masks"} & set(folders):
            images, doubled_images = _files(parent / "images")
            masks, doubled_masks = _files(parent / "masks")
            yield _Twin(parent, images, masks, doubled_images + doubled_masks)
        folders[:] = [name for name in folders if name not in ("images", "masks")]


def _files(folder: Path) -> tuple[dict[str, Path], tuple[Path, ...]]:
    found: dict[str, Path] = {}
    doubled = []
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() not in SUFFIXES or path.name.startswith("."):
            continue
        if found.setdefault(path.relative_to(folder).with_suffix("").as_posix(), path) != path:
            doubled.append(path)
    return found, tuple(doubled)
