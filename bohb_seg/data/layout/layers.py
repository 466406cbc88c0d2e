"""Exports with one mask for each class and image: ``task-7-annotation-3-by-1-tag-Road-0.png``.

The number behind ``task`` is the tool's, and no name of a file. The masks are believed to belong to
the images only if each of these numbers is the stem of one image.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from bohb_seg.data.layout.names import Role, fold
from bohb_seg.data.layout.roles import assign
from bohb_seg.data.layout.search import Tree

_TAGGED = re.compile(
    r"task-(?P<task>.+?)-annotation-.+?-tag-(?P<name>.+)-(?P<number>\d+)", re.IGNORECASE
)


@dataclass(frozen=True)
class Layered:
    """An image with one mask for each class that it shows.

    Args:
        image: Path of the image below the data folder.
        masks: Paths of the masks by the name of their class; several show several pieces of it.
    """

    image: str
    masks: Mapping[str, tuple[str, ...]]


def layers(tree: Tree) -> tuple[Layered, ...]:
    """Images and their masks by class, sorted; () if the tree holds no such export."""
    tagged: dict[str, dict[str, list[str]]] = {}
    images: dict[str, list[str]] = {}
    for file in assign(tree.images):
        stem = PurePosixPath(file.path).stem
        if match := _TAGGED.fullmatch(stem):
            of_task = tagged.setdefault(fold(match["task"]), {})
            of_task.setdefault(match["name"], []).append(file.path)
        elif file.role is Role.IMAGE:
            images.setdefault(file.stem, []).append(file.path)
    if any(len(images.get(task, ())) != 1 for task in tagged):
        return ()
    found = (
        Layered(images[task][0], {name: tuple(paths) for name, paths in sorted(by_name.items())})
        for task, by_name in tagged.items()
    )
    return tuple(sorted(found, key=lambda layered: layered.image))
