"""Images that files of labels mean: by the name in the file, or by the file's own name."""

import re
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from bohb_seg.data.layout.names import Role, fold, lesser
from bohb_seg.data.layout.roles import File, assign

_SEPARATOR = re.compile(r"[_\-. ]+")


class Images:
    """The images of a data folder by their names.

    Args:
        paths: Their paths below the data folder, with forward slashes.
    """

    def __init__(self, paths: Iterable[str]) -> None:
        files = assign(paths)
        # What no name says anything about is thought a mask beside images, but here are no masks.
        self.files = [file for file in files if file.role in (Role.IMAGE, None) or not file.sure]
        self._by_name: dict[str, list[File]] = {}
        self._by_stem: dict[str, list[File]] = {}
        self._by_key: dict[str, list[File]] = {}
        for file in files:
            self._by_name.setdefault(fold(PurePosixPath(file.path).name), []).append(file)
        for file in self.files:
            self._by_stem.setdefault(file.stem, []).append(file)
            self._by_key.setdefault(file.key, []).append(file)

    def plainest(self) -> list[str]:
        """The paths of all images, of several renderings of a scene the plainest."""
        by_key: dict[str, list[tuple[int, str]]] = {}
        for file in self.files:
            by_key.setdefault(file.key, []).append((_lesser(file), file.path))
        return sorted(
            path for found in by_key.values() for words, path in found if words == min(found)[0]
        )

    def named(self, name: str, labels: str) -> str | None:
        """The image that a file of labels names, None if there is none or one cannot tell.

        Args:
            name: A name or a path, of any system.
            labels: Path of the file of labels.
        """
        wanted = [fold(piece) for piece in name.replace("\\", "/").split("/")]
        found = self._by_name.get(wanted[-1], [])
        return _nearest(found, labels, wanted)

    def of_stem(self, labels: str) -> str | None:
        """The image with the stem of a file of labels."""
        return _nearest(self._by_stem.get(fold(PurePosixPath(labels).stem), []), labels)

    def alike(self, labels: str) -> tuple[str, str] | None:
        """The image that a file is named like, and the letters that the file's name has besides.

        ``buildings_AOI_2_img3.geojson`` belongs to ``RGB-PanSharpen_AOI_2_img3.tif``.
        """
        stem = PurePosixPath(labels).stem
        for core, rest in _cores(fold(stem)):
            for table in (self._by_stem, self._by_key):
                if core and (found := _nearest(table.get(core, []), labels)):
                    return found, rest
        return None


def _cores(stem: str) -> Iterator[tuple[str, str]]:
    """A stem, and ever less of it: without its first or its last words, which are no numbers."""
    yield stem, ""
    cuts = [(match.start(), match.end()) for match in _SEPARATOR.finditer(stem)]
    for start, end in cuts:
        if not stem[:start].isdigit():
            yield stem[end:], stem[:start]
    for start, end in reversed(cuts):
        if not re.fullmatch(r"[\d_\-. ]+", stem[end:]):
            yield stem[:start], stem[end:]


def _nearest(files: Iterable[File], labels: str, wanted: list[str] | None = None) -> str | None:
    """The one of equally named files that lies nearest to its labels, the plainest rendering."""

    def badness(file: File) -> tuple[int, bool, int, int]:
        pieces = [fold(piece) for piece in file.path.split("/")]
        agreed = _shared(reversed(pieces), reversed(wanted or []))
        # instances_val2017.json means the images in val2017/.
        said = any(piece and piece in fold(PurePosixPath(labels).stem) for piece in pieces[:-1])
        near = _shared(pieces[:-1], [fold(piece) for piece in labels.split("/")[:-1]])
        return -agreed, not said, -near, _lesser(file)

    ranked = sorted((badness(file), file.path) for file in files)
    if not ranked or (len(ranked) > 1 and ranked[0][0] == ranked[1][0]):
        return None
    return ranked[0][1]


def _lesser(file: File) -> int:
    return lesser(Role.IMAGE, iter((*file.folder_words, *file.stem_words)))


def _shared(ones: Iterable[str], others: Iterable[str]) -> int:
    count = 0
    for one, other in zip(ones, others, strict=False):
        if one != other:
            break
        count += 1
    return count
