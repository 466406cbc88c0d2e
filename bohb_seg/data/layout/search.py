"""The files below a data folder that may be images, masks, other labels or lists.

Links are followed; a link to a folder that it lies in is a loop and is not. Whatever looks like an
image and is not taken is in ``left_out`` with a kind of reason.
"""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

IMAGE_SUFFIXES = frozenset(
    [
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".png",
        ".tif",
        ".tiff",
        ".gtiff",
        ".bmp",
        ".gif",
        ".webp",
        ".jp2",
        ".j2k",
        ".jpx",
        ".img",
    ]
)
"""Suffixes of images and masks that are read."""
OTHER_SUFFIXES = frozenset(
    [
        ".ecw",
        ".sid",
        ".heic",
        ".heif",
        ".avif",
        ".npy",
        ".npz",
        ".dng",
        ".psd",
        ".svg",
        ".exr",
        ".hdr",
        ".zip",
        ".tar",
        ".gz",
        ".7z",
        ".rar",
    ]
)
"""Suffixes of images that are not read, and of archives, which may hold some."""
LABEL_SUFFIXES = frozenset([".geojson", ".gpkg", ".shp", ".json", ".xml", ".kml"])
"""Suffixes of files that may hold labels as shapes."""
LIST_SUFFIXES = frozenset([".txt", ".lst", ".csv"])
"""Suffixes of files that may list the images of a part."""
_UNFINISHED = (".part", ".partial", ".tmp", ".temp", ".crdownload", ".download", ".filepart", "~")
_NOT_DATA = frozenset(("__macosx", "@eadir", "$recycle.bin", "__pycache__"))
"""Folders in which systems keep their own pictures and remains, in small letters."""

_LEGEND = "classes.png"
"""The picture that ``bohb-data classes`` draws at the top of a data folder."""

HIDDEN = "hidden"
UNFINISHED = "not finished (a download or a copy is under way, or was broken off)"
NOT_READ = "a format that is not read"
NOWHERE = "a link to nothing"
LOOP = "a link to a folder that it lies in"
CLOSED = "a folder that may not be opened"


@dataclass(frozen=True, order=True)
class LeftOut:
    """A file or folder that is not used.

    Args:
        path: Its path below the data folder, with forward slashes.
        reason: The kind of reason, equal for all files of that kind.
    """

    path: str
    reason: str


@dataclass(frozen=True)
class Tree:
    """All that a data folder holds, sorted; paths are relative, with forward slashes.

    Args:
        root: The data folder.
        images: Files that look like images or masks.
        labels: Files that may hold labels as shapes.
        lists: Files that may list the images of a part.
        left_out: Files that look like images but are not taken, and folders not entered.
    """

    root: Path
    images: tuple[str, ...]
    labels: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = ()


def search(root: Path) -> Tree:
    """Walks the data folder and sorts its files by their suffixes."""
    left_out: list[LeftOut] = []
    files = sorted(_walk(root, "", (), left_out))
    taken = []
    for path in files:
        if reason := _why_not(root, path):
            left_out.append(LeftOut(path, reason))
        elif not _is_hidden(path) and path != _LEGEND:
            taken.append(path)
    return Tree(
        root,
        tuple(_with(taken, IMAGE_SUFFIXES)),
        tuple(_with(taken, LABEL_SUFFIXES)),
        tuple(_with(taken, LIST_SUFFIXES)),
        tuple(sorted(left_out)),
    )


def summary(left_out: Iterable[LeftOut]) -> list[str]:
    """One sentence a kind of reason: how many were left out, and the first three of them."""
    kinds: dict[str, list[str]] = {}
    for each in sorted(left_out):
        kinds.setdefault(each.reason, []).append(each.path)
    return [
        f"{len(paths)} left out, {reason}: {', '.join(paths[:3])}{', ...' * (len(paths) > 3)}"
        for reason, paths in sorted(kinds.items())
    ]


def suffix_of(path: str) -> str:
    """The suffix in small letters, with its dot."""
    return PurePosixPath(path).suffix.lower()


def _with(paths: Iterable[str], suffixes: frozenset[str]) -> list[str]:
    return [path for path in paths if suffix_of(path) in suffixes]


def _walk(root: Path, place: str, above: tuple[str, ...], left_out: list[LeftOut]) -> Iterator[str]:
    """Paths of all files below a place, whose real folders above it are ``above``."""
    here = os.path.realpath(root / place)
    if here in above:
        left_out.append(LeftOut(place, LOOP))
        return
    try:
        entries = sorted(entry.name for entry in (root / place).iterdir())
    except OSError:
        left_out.append(LeftOut(place or ".", CLOSED))
        return
    for name in entries:
        path = f"{place}/{name}" if place else name
        if os.path.isdir(root / path):  # noqa: PTH112 - Path.is_dir raises where nobody may look
            yield from _walk(root, path, (*above, here), left_out)
        else:
            yield path


def _why_not(root: Path, path: str) -> str | None:
    """The reason why a file that looks like an image cannot be taken; None if there is none."""
    lowered = path.lower()
    unfinished = next((end for end in _UNFINISHED if lowered.endswith(end)), "")
    suffix = suffix_of(lowered.removesuffix(unfinished))
    if suffix in OTHER_SUFFIXES and not _is_hidden(path):
        return NOT_READ
    if suffix not in IMAGE_SUFFIXES:
        return None
    if _is_hidden(path):
        return HIDDEN
    if unfinished:
        return UNFINISHED
    return None if os.path.exists(root / path) else NOWHERE  # noqa: PTH110 - as above


def _is_hidden(path: str) -> bool:
    return any(piece.startswith(".") or piece.lower() in _NOT_DATA for piece in path.split("/"))
