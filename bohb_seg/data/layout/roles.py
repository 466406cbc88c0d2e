"""Roles of all files of a tree, each in view of the others.

The nearest folder with a role decides; the stem decides where no folder does, or where it names a
picture for people or a layer that is neither. Within a folder without a role, and within one of
images, a mask is told from the image beside it by the stem. Files about which no name says anything
are images if the tree has masks, and masks if it has images only.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from bohb_seg.data.layout.names import Reading, Role, fold, part_of, read_folder, read_stem
from bohb_seg.data.layout.search import suffix_of

_MASK_LETTERS = ("_m", "_p", "_l")
"""Ends of a mask's stem that count only beside a file without them."""
_LOSSY = frozenset((".jpg", ".jpeg", ".jpe", ".jfif"))
"""Suffixes of files that smear a mask: beside another of the same stem they hold the image."""


@dataclass(frozen=True)
class File:
    """A file that looks like an image or a mask.

    Args:
        path: Path below the data folder.
        role: Its role; None if nothing tells.
        sure: Whether names say the role, instead of its being the one that is left.
        stem: Its stem, folded.
        key: The stem without the words that say a role.
        folder_words: Known words in the names of the folders that say a role.
        stem_words: Known words anywhere in the stem.
    """

    path: str
    role: Role | None
    sure: bool
    stem: str
    key: str
    folder_words: tuple[str, ...]
    stem_words: tuple[str, ...]

    @property
    def folder(self) -> str:
        """Path of the folder that it lies in; "" is the data folder."""
        return self.path.rpartition("/")[0]

    @property
    def part(self) -> str | None:
        """The part that the nearest folder names which names one, else the stem."""
        said = [reading.part for reading in _readings(self.folder) if reading.part]
        return said[-1] if said else read_stem(PurePosixPath(self.path).stem).part

    @property
    def group(self) -> str:
        """The folders that say no role, as they are written; "." if there are none."""
        kept = [name for name in _names(self.folder) if read_folder(name).role is None]
        return "/".join(kept) or "."

    def place(self, looseness: int) -> str | None:
        """The folder without what tells images from masks, by ever looser readings.

        Args:
            looseness: 0 keeps what stands beside the word for the role (``2_Ortho_RGB``: ``2``);
                1 drops it; 2 also drops a last folder without role or part; 3 keeps the part only.
        """
        readings, names = _readings(self.folder), _names(self.folder)
        if looseness == 2 and readings and readings[-1].role is None and not readings[-1].part:
            readings, names = readings[:-1], names[:-1]
        if looseness == 3:
            return self.part or ""
        pieces = (
            _place(reading, name, looseness) for reading, name in zip(readings, names, strict=True)
        )
        return "/".join(piece for piece in pieces if piece)


def assign(paths: Iterable[str]) -> tuple[File, ...]:
    """Gives every path its role, in order of the paths."""
    folders: dict[str, list[File]] = {}
    for path in sorted(paths):
        file = _alone(path)
        folders.setdefault(file.folder, []).append(file)
    files = [file for beside in folders.values() for file in _in_view(beside)]
    roles = {file.role for file in files}
    if Role.MASK not in roles:
        otherwise = [_by_any_folder(file) for file in files]
        if {Role.IMAGE, Role.MASK} <= (found := {file.role for file in otherwise}):
            files, roles = otherwise, found
    left = Role.IMAGE if Role.MASK in roles else Role.MASK if Role.IMAGE in roles else None
    return tuple(
        sorted(
            (replace(file, role=left, sure=False) if file.role is None else file for file in files),
            key=lambda file: file.path,
        )
    )


def _by_any_folder(file: File) -> File:
    """An image by its nearest folder only is a mask if a folder above says so (``masks/images/``).

    For trees without masks: often the name of a data set holds a word such as *segmentation*.
    """
    says_mask = any(reading.role is Role.MASK for reading in _readings(file.folder))
    return replace(file, role=Role.MASK) if file.role is Role.IMAGE and says_mask else file


def _alone(path: str) -> File:
    pure = PurePosixPath(path)
    folders = [reading for reading in _readings(str(pure.parent)) if reading.role]
    stem = read_stem(pure.stem)
    role = folders[-1].role if folders else stem.role
    if stem.role in (Role.PICTURE, Role.OTHER):
        role = stem.role
    # A part in a folder's name is no rendering; in a stem (``labelTrainIds``) it is.
    words = (word for reading in folders for word in reading.words if word not in ("train", "tr"))
    anywhere = read_folder(pure.stem).words
    return File(path, role, True, fold(pure.stem), stem.rest, tuple(words), anywhere)


def _in_view(beside: Sequence[File]) -> list[File]:
    """Roles of the files of one folder, told from each other."""
    says = any(reading.role for reading in _readings(beside[0].folder))
    if says:
        return _in_image_folder(beside) if beside[0].role is not Role.MASK else list(beside)
    files = _same_stem(_lettered(beside))
    if any(file.role is Role.MASK for file in files):
        return [replace(f, role=Role.IMAGE) if f.role is None else f for f in files]
    keys = {file.key for file in files if file.role is Role.IMAGE}
    return [replace(f, role=Role.MASK) if f.role is None and f.key in keys else f for f in files]


def _in_image_folder(beside: Sequence[File]) -> list[File]:
    def says_mask(file: File) -> bool:
        return read_stem(PurePosixPath(file.path).stem).role is Role.MASK

    images = {f.key for f in beside if f.role is Role.IMAGE and not says_mask(f)}
    return [
        replace(f, role=Role.MASK)
        if f.role is Role.IMAGE and f.key in images and says_mask(f)
        else f
        for f in beside
    ]


def _lettered(beside: Sequence[File]) -> list[File]:
    """``x_m`` beside ``x`` is its mask."""
    stems = {file.stem for file in beside if file.role is None}
    return [
        replace(f, role=Role.MASK, key=f.key[:-2])
        if f.role is None and f.stem.endswith(_MASK_LETTERS) and f.stem[:-2] in stems
        else f
        for f in beside
    ]


def _same_stem(beside: Sequence[File]) -> list[File]:
    """``x.png`` beside ``x.jpg`` is its mask."""
    lossy = {f.stem for f in beside if suffix_of(f.path) in _LOSSY}
    exact = {f.stem for f in beside if suffix_of(f.path) not in _LOSSY}
    both = {f.stem for f in beside if f.role in (None, Role.IMAGE)} & lossy & exact
    return [
        replace(f, role=Role.IMAGE if suffix_of(f.path) in _LOSSY else Role.MASK)
        if f.stem in both
        else f
        for f in beside
    ]


def _names(folder: str) -> list[str]:
    return [name for name in folder.split("/") if name not in ("", ".")]


def _readings(folder: str) -> list[Reading]:
    return [read_folder(name) for name in _names(folder)]


def _place(reading: Reading, name: str, looseness: int) -> str:
    if reading.role is None:
        return part_of(name) or fold(name)  # ``val`` beside ``val_labels``
    kept = [reading.part, reading.rest if looseness == 0 else ""]
    return " ".join(piece for piece in kept if piece)
