"""The labels of a folder without masks: shapes in COCO, Labelme and vector files, or layers.

One kind of labels is taken, the first that the folder holds: masks of single classes, COCO files
beside or above their images (or in a folder ``annotations`` beside them), Labelme files, vector
files that are named like their images, or a few vector files for all of them, which may hold one
class each.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from bohb_seg.data.classes import MAX_CLASSES
from bohb_seg.data.imagery.annotations import is_coco, is_labelme, read_labelme
from bohb_seg.data.imagery.reader import open_image
from bohb_seg.data.imagery.vector_files import SUFFIXES, layers_of
from bohb_seg.data.imagery.vectors import layer_names
from bohb_seg.data.label_source import LabelSource
from bohb_seg.data.labels.drawn import CocoImage, LabelmeFile, Layer, Stack, coco_drawings
from bohb_seg.data.labels.images import Images
from bohb_seg.data.labels.layers import Layers
from bohb_seg.data.labels.names import with_background
from bohb_seg.data.layout.layers import layers
from bohb_seg.data.layout.search import Tree, suffix_of
from bohb_seg.data.masks import mask_code
from bohb_seg.data.pixels import LARGEST
from bohb_seg.errors import DataError, printable
from bohb_seg.files import read_regular

_LESSER_COCO = ("keypoints", "captions", "panoptic", "info")
"""Words in the names of COCO files that say less about an image than others."""
_NO_LABELS = frozenset({"aoi", "roi", "extent", "bounds", "bbox", "boundary", "tiles", "index"})
"""Names of vector files that outline the images or a region."""
_MOST_FILES = 20
"""Number of vector files above which they are not one for each class."""
_Read = tuple[Layer, tuple[str, ...]]
"""A layer and the names of its classes."""
_KINDS = "coco", "labelme", "vector"


@dataclass(frozen=True)
class FoundLabels:
    """The labels of a folder without masks.

    Args:
        sources: The labels of each image, by the image's path below the data folder.
        names: The classes' names for ``entries_for_names``; a background is among them if there
            must be one.
        problems: Sentences about labels that are there but cannot be used.
    """

    sources: Mapping[str, LabelSource] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def find_label_sources(tree: Tree, class_field: str | None = None) -> FoundLabels:
    """Finds the labels of the images of a tree; nothing at all is no error.

    Args:
        tree: The data folder.
        class_field: The field of vector files that holds the class (``--class-field``).
    """
    try:
        found = _found(tree, class_field)
    except DataError as error:
        return FoundLabels(problems=(str(error),))
    found = replace(found, problems=tuple(map(printable, found.problems)))
    if found.sources and not 2 <= len(found.names) <= MAX_CLASSES:
        first = next(iter(found.sources.values()))
        said = (
            f"{first.files[0]} and its like hold {len(found.names)} classes, of at least 2 and at"
            f" most {MAX_CLASSES}; name with --class-field the field that holds the class"
        )
        return FoundLabels(problems=(printable(said), *found.problems))
    return found


def _found(tree: Tree, class_field: str | None) -> FoundLabels:
    if found := _layered(tree):
        return found
    by_kind = _kinds(tree)
    if by_kind["coco"]:
        return _from_coco(tree, by_kind["coco"])
    if by_kind["labelme"]:
        return _from_labelme(tree, by_kind["labelme"])
    if by_kind["vector"]:
        return _from_vectors(tree, by_kind["vector"], class_field)
    return FoundLabels()


def _layered(tree: Tree) -> FoundLabels | None:
    found = layers(tree)
    if not found:
        return None
    sources = {
        each.image: Layers(
            tuple(
                (name, tuple(tree.root / path for path in paths))
                for name, paths in each.masks.items()
            )
        )
        for each in found
    }
    names = sorted({name for each in found for name in each.masks})
    return FoundLabels(sources, with_background(names, of_objects=True))


def _kinds(tree: Tree) -> Mapping[str, list[str]]:
    """Paths of the files of labels by their kinds."""
    by_kind: dict[str, list[str]] = {kind: [] for kind in _KINDS}
    for path in tree.labels:
        if suffix_of(path) in SUFFIXES:
            by_kind["vector"].append(path)
        elif suffix_of(path) == ".json" and (kind := _kind_of_json(tree.root / path)):
            by_kind[kind].append(path)
    return by_kind


def _kind_of_json(path: Path) -> str | None:
    try:
        plain = json.loads(read_regular(path, LARGEST))
    except (OSError, ValueError, RecursionError):
        return None
    if is_coco(plain):
        return "coco" if plain["annotations"] else None
    if is_labelme(plain):
        return "labelme"
    is_vector = isinstance(plain, dict) and plain.get("type") == "FeatureCollection"
    return "vector" if is_vector else None


def _from_coco(tree: Tree, paths: Iterable[str]) -> FoundLabels:
    images = Images(tree.images)
    sources: dict[str, CocoImage] = {}
    names: set[str] = set()
    missing, twice, boxes = [], [], 0
    for path in sorted(paths, key=lambda path: (_is_lesser(path), path)):
        drawings = coco_drawings(tree.root / path)
        for image_name, drawing in drawings.items():
            # Some tools add a category that means the whole set, and no shape is of it.
            names.update(drawing.names)
            boxes += drawing.left_out
            if (image := images.named(image_name, path)) is None:
                missing.append(f"{path} names the image {image_name}")
                continue
            source = CocoImage(tree.root / path, image_name)
            other = sources.setdefault(image, source)
            if other != source and not _is_lesser(path):
                twice.append(f"{image} is in {other.path.relative_to(tree.root)} and in {path}")
    if not names:
        said = f"the COCO files such as {path} hold {boxes} boxes or points, but no areas;"
        return FoundLabels(problems=(f"{said} export polygons or masks",))
    problems = (
        *_first(missing, f", and {tree.root} holds none or several of this name; add or rename it"),
        *_first(twice, "; move one of the two away, or join them"),
    )
    return FoundLabels(sources, with_background(sorted(names), of_objects=True), problems)


def _first(sentences: Sequence[str], cure: str) -> tuple[str, ...]:
    more = f" ({len(sentences) - 1} more like this)" if len(sentences) > 1 else ""
    return (f"{sentences[0]}{more}{cure}",) if sentences else ()


def _is_lesser(path: str) -> bool:
    return any(word in PurePosixPath(path).stem.lower() for word in _LESSER_COCO)


def _from_labelme(tree: Tree, paths: Iterable[str]) -> FoundLabels:
    images = Images(tree.images)
    sources: dict[str, LabelSource] = {}
    names: set[str] = set()
    problems = []
    for path in paths:
        image_name, drawing = read_labelme(tree.root / path)
        names.update(drawing.names)
        # People rename and convert images, and the file still tells the old name.
        image = images.of_stem(path) or images.named(image_name, path)
        if image is None:
            problems.append(f"{path} belongs to {image_name}, which is not there; add the image")
        else:
            sources.setdefault(image, LabelmeFile(tree.root / path))
    return FoundLabels(sources, with_background(sorted(names), of_objects=True), tuple(problems))


def _from_vectors(tree: Tree, paths: list[str], class_field: str | None) -> FoundLabels:
    images = Images(tree.images)
    if not images.files:
        return FoundLabels()
    alike = {path: found for path in paths if (found := images.alike(path))}
    used = list(alike) or [path for path in paths if _stem(path) not in _NO_LABELS]
    if not alike and len(used) > _MOST_FILES:
        said = (
            f"{tree.root} holds {len(used)} vector files such as {used[0]}, and none is named like"
            " an image; name each like its image, or join them in one file"
        )
        return FoundLabels(problems=(said,))
    only = _shared_letters(alike)
    layers = {path: _layers_in(tree.root / path, class_field, only) for path in used}
    if alike:
        stacks = {image: _stack(layers[path]) for path, (image, _) in alike.items()}
    else:
        everything = [layer for found in layers.values() for layer in found]
        stacks = {path: _stack(everything) for path in images.plainest()}
    names = {
        name
        for found in layers.values()
        for layer, classes in found
        for name in (*classes, layer.only)
        if name
    }
    for image, source in list(stacks.items())[:1]:
        _try(tree, image, source)
    ordered = sorted(names, key=_numbers_first)
    return FoundLabels(stacks, with_background(ordered, of_objects=False))


def _layers_in(path: Path, class_field: str | None, only: str | None) -> list[_Read]:
    """The layers of a file with their classes; one without is of the class it is named after.

    Args:
        path: The file.
        class_field: The field that holds the class, or None to look for one.
        only: A better name than the file's, or None.
    """
    found = layers_of(path)
    several = len(found) > 1
    layers = []
    for layer in found:
        names = layer_names(path, class_field, layer)
        own = layer if several else only or path.stem
        layers.append((Layer(path, class_field, None if names else own, layer), names))
    return layers


def _stack(layers: Sequence[_Read]) -> LabelSource:
    found = tuple(layer for layer, _ in layers)
    return found[0] if len(found) == 1 else Stack(found)


def _try(tree: Tree, image: str, source: LabelSource) -> None:
    """Opens the shapes of one image.

    Raises:
        DataError: a package, a field or the image's place is missing.
    """
    nothing = mask_code((), "default")
    try:
        with open_image(tree.root / image) as opened, source.open(opened.facts, nothing):
            pass
    except (ValueError, OSError) as error:
        raise DataError(f"{image} cannot be read: the file {error}") from None


def _shared_letters(alike: Mapping[str, tuple[str, str]]) -> str | None:
    """A class for files that are named like their images: the letters that they share besides."""
    shared = {rest for _, rest in alike.values()}
    if not alike:
        return None
    return shared.pop() if len(shared) == 1 and shared != {""} else "object"


def _stem(path: str) -> str:
    return PurePosixPath(path).stem.casefold()


def _numbers_first(name: str) -> tuple[bool, int, str]:
    return not name.isdecimal(), int(name) if name.isdecimal() else 0, name
