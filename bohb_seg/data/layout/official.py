"""Official splits: by folders (``train/``, ``uavid_val/``) and by list files (``train.txt``).

A split counts if it names a train part and one more. Folders that name a part for every pair come
before lists, lists before folders that name it for some. A pair that the split does not name
belongs to no part.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from bohb_seg.data.collection import Pair
from bohb_seg.data.layout.names import fold, read_folder, read_stem
from bohb_seg.data.layout.roles import File, assign
from bohb_seg.data.layout.search import IMAGE_SUFFIXES, LeftOut, Tree, suffix_of

NAMES_NOTHING = "a list that names no image here"
NAMES_SOME = "a list that also names images that are not here"

_LARGEST = 64 * 2**20
"""Bytes of a list that are read; a longer text is no list of files."""


@dataclass(frozen=True)
class OfficialSplit:
    """The split that a data set is published with.

    Args:
        parts: Part of the pairs' names; empty if there is no such split.
        left_out: List files that name what is not here.
        problems: Sentences about contradictions.
        needed: Paths of the images that lists name for training or validation, so that they must
            have masks; None if no lists say the split.
    """

    parts: Mapping[str, str] = field(default_factory=dict)
    left_out: tuple[LeftOut, ...] = ()
    problems: tuple[str, ...] = ()
    needed: frozenset[str] | None = None


def official_split(tree: Tree, pairs: Sequence[Pair]) -> OfficialSplit:
    """Reads the official split of the pairs of a tree, if there is one."""
    by_folder = _by_folder(tree, pairs)
    if len(by_folder) == len(pairs) and _is_split(by_folder):
        return OfficialSplit(by_folder)
    by_list = _by_lists(tree, pairs)
    if _is_split(by_list.parts) or by_list.problems:
        return by_list
    return OfficialSplit(by_folder if _is_split(by_folder) else {}, by_list.left_out)


def _is_split(parts: Mapping[str, str]) -> bool:
    named = set(parts.values())
    return "train" in named and len(named) > 1


def _relative(tree: Tree, path: Path) -> str:
    return path.relative_to(tree.root).as_posix()


def _by_folder(tree: Tree, pairs: Sequence[Pair]) -> dict[str, str]:
    files = {file.path: file for file in assign(tree.images)}
    parts = {pair.name: files[_relative(tree, pair.image)].part for pair in pairs}
    return {name: part for name, part in parts.items() if part}


def _by_lists(tree: Tree, pairs: Sequence[Pair]) -> OfficialSplit:
    index = _Index(tree, pairs)
    said: dict[str, set[str]] = {}
    left_out, problems = [], []
    needed: set[str] = set()
    for path in tree.lists:
        part = read_folder(PurePosixPath(path).stem).part
        if part is None:
            continue
        found = [(entry, index.find(entry, path)) for entry in _entries(tree.root / path)]
        if part != "test":
            needed.update(file.path for entry, _ in found for file in index.files(entry))
        for entry, hit in found:
            if hit is not None and len(hit) > 1:
                problems.append(
                    f"{path} names {entry!r}, which may be {' or '.join(sorted(hit)[:3])}; write"
                    " the folder before it"
                )
            for name in hit or ():
                said.setdefault(name, set()).add(part)
        known = [hit for _, hit in found if hit is not None]
        if found and len(known) < len(found):
            left_out.append(LeftOut(path, NAMES_SOME if known else NAMES_NOTHING))
    problems += [
        f"{name} is in the lists of {' and '.join(sorted(parts))}; remove it from one"
        for name, parts in sorted(said.items())
        if len(parts) > 1
    ]
    parts = {name: next(iter(each)) for name, each in said.items() if len(each) == 1}
    return OfficialSplit(
        parts, tuple(left_out), tuple(problems), frozenset(needed) if _is_split(parts) else None
    )


def _entries(path: Path) -> Iterator[str]:
    """The lines of a list, without empty ones, remarks and a line that only names columns."""
    try:
        if path.stat().st_size > _LARGEST:
            return
        text = path.read_bytes().decode("utf-8-sig", "replace")
    except OSError:
        return
    for line in text.splitlines():
        entry = line.strip().strip("\"'").replace("\\", "/").removeprefix("./")
        if entry and not entry.startswith("#"):
            yield entry


class _Index:
    """Names of the pairs by whatever a list may call their files."""

    def __init__(self, tree: Tree, pairs: Sequence[Pair]) -> None:
        files = {file.path: file for file in assign(tree.images)}
        self._name: dict[str, str] = {}
        for pair in pairs:
            for path in (pair.image, pair.mask):
                self._name[_relative(tree, path)] = pair.name
        self._files: dict[str, list[File]] = {}
        for file in files.values():
            for key in {file.stem, file.key}:
                self._files.setdefault(key, []).append(file)

    def find(self, entry: str, listed_in: str) -> set[str] | None:
        """Names of the pairs that an entry may mean; None if it means no file here.

        An image without a mask is a file, but no pair: then the result is empty.
        """
        if not (files := self.files(entry)):
            return None
        names = {self._name[file.path] for file in files if file.path in self._name}
        near = self._near(files, listed_in)
        return near if len(names) > 1 and near else names

    def files(self, entry: str) -> list[File]:
        """Files that an entry may mean."""
        meant = (self._meant(text) for text in (entry, *_first_columns(entry)))
        return next(filter(None, meant), [])

    def _near(self, files: Iterable[File], listed_in: str) -> set[str]:
        """Names of the pairs in the folder of the list."""
        place = listed_in.rpartition("/")[0] + "/"
        here = [f.path for f in files if f.path in self._name and f.path.startswith(place)]
        return {self._name[path] for path in here}

    def _meant(self, text: str) -> list[File]:
        pure = PurePosixPath(text)
        stem = pure.stem if suffix_of(text) in IMAGE_SUFFIXES else pure.name
        folders = [fold(piece) for piece in pure.parts[:-1]]
        named = self._files.get(fold(stem), []) or self._files.get(read_stem(stem).rest, [])
        exact = [file for file in named if file.stem == fold(stem)] or named
        if not folders or len(exact) < 2:
            return list(exact)
        shared = [_shared_end(folders, fold(file.folder).split("/")) for file in exact]
        return [file for file, count in zip(exact, shared, strict=True) if count == max(shared)]


def _first_columns(entry: str) -> list[str]:
    """Meanings of a line if it has columns: image and mask, by comma, tab or space."""
    firsts = [entry.split(mark)[0].strip() for mark in (",", "\t", ";", " ") if mark in entry]
    return [first for first in firsts if first]


def _shared_end(left: Sequence[str], right: Sequence[str]) -> int:
    count = 0
    while count < min(len(left), len(right)) and left[-1 - count] == right[-1 - count]:
        count += 1
    return count
