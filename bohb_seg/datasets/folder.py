"""A folder of images and labels, as public data sets and labelling tools lay it out.

The names of folders and files say which is an image, which its mask and which part it belongs to
(:mod:`bohb_seg.data.layout`), or ``--images`` and ``--masks`` do. Twins always work::

    Tile 1/images/part_001.jpg   <->   Tile 1/masks/part_001.png

Where no masks are, labels may be shapes or masks of single classes (:mod:`bohb_seg.data.labels`).
"""

from pathlib import Path

from bohb_seg.data.class_tables.finder import read_table
from bohb_seg.data.class_tables.fit import table_for
from bohb_seg.data.classes import FILE_NAME
from bohb_seg.data.collection import Collection, Pair
from bohb_seg.data.labels.finding import FoundLabels, find_label_sources
from bohb_seg.data.labels.names import entries_for_names
from bohb_seg.data.layout.finding import find_in, with_official_parts
from bohb_seg.data.layout.names import Role
from bohb_seg.data.layout.pairs import Found
from bohb_seg.data.layout.roles import assign
from bohb_seg.data.layout.search import LeftOut, Tree, search, summary
from bohb_seg.data.masks import mask_code
from bohb_seg.errors import DataError
from bohb_seg.settings import DataSettings

WITH_PARTS = ("auto", "folders")
"""Values of ``--split`` for which the official split is read; else it may contradict itself."""

UNLABELLED = "an image without labels"


def load(settings: DataSettings) -> Collection:
    """Finds the pairs below the folder ``settings.data``, at any depth.

    Raises:
        DataError: it holds no pairs or no usable class table.
    """
    root = Path(settings.data).expanduser()
    tree = search(root)
    with_parts = settings.split in WITH_PARTS
    found = find_in(tree, settings.images, settings.masks, with_parts)
    if settings.class_field or not (found.pairs or settings.images):
        labels = find_label_sources(tree, settings.class_field)
        if labels.sources:
            return _of_shapes(tree, labels, settings)
        if labels.problems:
            raise DataError("; ".join(labels.problems))
        if settings.class_field:
            raise DataError(
                f"--class-field {settings.class_field}: {root} holds no vector files; drop it"
            )
    if not found.pairs:
        raise DataError("; ".join(found.problems))
    masks = [pair.mask for pair in found.pairs]
    table = table_for(root, settings.classes, masks, settings.preset)
    return Collection(
        root,
        found.pairs,
        found.problems,
        mask_code(table.entries, settings.preset),
        notes=(*summary(found.left_out), *table.notes),
        parts=found.parts,
    )


def _of_shapes(tree: Tree, labels: FoundLabels, settings: DataSettings) -> Collection:
    """The images whose labels are no masks."""
    files = {file.path: file for file in assign(tree.images)}
    pairs = tuple(
        Pair(path, files[path].group, tree.root / path, source.files[0], source)
        for path, source in sorted(labels.sources.items())
    )
    used = {file for source in labels.sources.values() for file in source.files}
    alone = [
        LeftOut(path, UNLABELLED)
        for path, file in files.items()
        if file.role is Role.IMAGE and path not in labels.sources and tree.root / path not in used
    ]
    found = Found(pairs, {}, tuple(sorted((*tree.left_out, *alone))), labels.problems)
    if settings.split in WITH_PARTS:
        found = with_official_parts(tree, found)
    own = tree.root / FILE_NAME
    table = settings.classes or (own if own.exists() else None)
    entries = entries_for_names(labels.names) if table is None else read_table(table).entries
    return Collection(
        tree.root,
        found.pairs,
        found.problems,
        mask_code(entries, settings.preset),
        notes=tuple(summary(found.left_out)),
        parts=found.parts,
    )
