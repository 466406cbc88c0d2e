"""Pairs of images and masks, and an account of every file that is in none.

If several files show one scene, the plainest counts: of images the one named RGB, of masks the one
without words such as *eroded*, *color* or *instance*, or the one named semantic; names of folders
come before those of files. If that leaves several, nothing is guessed.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from bohb_seg.data.collection import Pair
from bohb_seg.data.layout.matching import clusters
from bohb_seg.data.layout.names import Role, fold, lesser
from bohb_seg.data.layout.roles import File, assign
from bohb_seg.data.layout.search import LeftOut, Tree, suffix_of

CHOOSE = "--images GLOB --masks GLOB"

PICTURE = "a picture for people, by its name"
OTHER = "a layer that is neither image nor mask, by its name"
UNCLEAR = "neither its name nor its folder says whether it is an image or a mask"
RENDERING = "another rendering of an image or a mask that is used"
UNDECIDED = "one of several of which it is not clear which is meant"
UNLABELLED = "an image without a mask, in a part that is published without masks"
ALONE = "without a partner"
UNLISTED = "an image without a mask, which no list names for training or validation"
SAME = "the same pair as another, by links"


@dataclass(frozen=True)
class Found:
    """The pairs of a data folder, and the rest.

    Args:
        pairs: Pairs sorted by name.
        parts: Official part of the pairs' names: ``"train"``, ``"validation"`` or ``"test"``;
            empty if there is no official split.
        left_out: Every file that looks like an image and is in no pair.
        problems: Sentences about what must be mended or chosen first.
    """

    pairs: tuple[Pair, ...]
    parts: Mapping[str, str]
    left_out: tuple[LeftOut, ...]
    problems: tuple[str, ...]


def pair_up(tree: Tree) -> Found:
    """Finds the pairs of a tree by the names of its folders and files."""
    files = assign(tree.images)
    chosen = [_choose(images, masks) for images, masks in clusters(files)]
    pairs, doubled = _distinct(tree, [each.pair for each in chosen if each.pair])
    linked = {file.path for each in chosen for file in each.files}
    alone = [file for file in files if file.path not in linked]
    used = _Used.by(file for file in files if file.path in linked)
    left_out = [out for each in chosen for out in each.left_out()] + doubled
    problems = sorted({each.problem for each in chosen if each.problem})
    for file in alone:
        reason, sentence = _why_alone(file, used)
        left_out.append(LeftOut(file.path, reason))
        problems += [sentence] if sentence and chosen else []
    if not chosen:
        problems.append(_nothing(tree, files))
    everything = tuple(sorted((*tree.left_out, *left_out)))
    return Found(tuple(pairs), {}, everything, tuple(problems))


def make_pair(tree: Tree, image: File, mask: File) -> Pair:
    """The pair of two files of a tree."""
    return Pair(image.path, image.group, tree.root / image.path, tree.root / mask.path)


@dataclass(frozen=True)
class _Choice:
    files: tuple[File, ...]
    pair: tuple[File, File] | None
    problem: str | None

    def left_out(self) -> Iterator[LeftOut]:
        for file in self.files:
            if file not in (self.pair or ()):
                yield LeftOut(file.path, RENDERING if self.pair else UNDECIDED)


def _choose(images: Sequence[File], masks: Sequence[File]) -> _Choice:
    files = (*images, *masks)
    best = _plainest(images), _plainest(masks)
    if all(len(each) == 1 for each in best):
        return _Choice(files, (best[0][0], best[1][0]), None)
    key = min((file.key for file in files), key=len)
    which = best[0] if len(best[0]) > 1 else best[1]
    if len({(file.folder, file.stem) for file in which}) == 1:
        sentence = f"{which[1].path} has the same name as {which[0].path}; remove one"
        return _Choice(files, None, sentence)
    kind = "images" if len(best[0]) > 1 else "masks"
    patterns = [repr(_pattern(file, key)) for file in which]
    example = [repr(_pattern(side[0], key)) for side in best]
    sentence = (
        f"several {kind} show the same scene: {', '.join(patterns)}; choose one with {CHOOSE},"
        f" for example --images {example[0]} --masks {example[1]}"
    )
    return _Choice(files, None, sentence)


def _plainest(files: Sequence[File]) -> list[File]:
    lowest = min(map(_rank, files))
    return [file for file in files if _rank(file) == lowest]


def _rank(file: File) -> tuple[bool, int, int, bool]:
    """Smaller is plainer: named as what it is, few lesser words in folders, then in the stem."""
    assert file.role is not None, f"{file.path} is linked without a role"
    best = {Role.IMAGE: "rgb", Role.MASK: "semantic"}[file.role]
    words = file.folder_words, file.stem_words
    lessers = [lesser(file.role, iter(each)) for each in words]
    return not file.sure, lessers[0], lessers[1], not any(best in each for each in words)


def _pattern(file: File, key: str) -> str:
    """The glob that names this file and its like."""
    stem = PurePosixPath(file.path).stem
    at = fold(stem).find(key) if key and len(fold(stem)) == len(stem) else -1
    shown = stem if at < 0 else f"{stem[:at]}{{stem}}{stem[at + len(key) :]}"
    return str(PurePosixPath(file.folder) / f"{shown}{PurePosixPath(file.path).suffix}")


def _distinct(tree: Tree, chosen: Iterable[tuple[File, File]]) -> tuple[list[Pair], list[LeftOut]]:
    """Pairs that links make to the same two files count once, where a folder names their part."""
    seen: dict[tuple[str, str], Pair] = {}
    left_out = []
    for image, mask in sorted(chosen, key=lambda both: (both[0].part is None, both[0].path)):
        pair = make_pair(tree, image, mask)
        real = str(pair.image.resolve()), str(pair.mask.resolve())
        if seen.setdefault(real, pair) is not pair:
            left_out += [LeftOut(file.path, SAME) for file in (image, mask)]
    return sorted(seen.values(), key=lambda pair: pair.name), left_out


@dataclass(frozen=True)
class _Used:
    """Folders and parts in which at least one file has a partner, and the keys of those files."""

    folders: frozenset[str]
    parts: frozenset[str | None]
    keys: frozenset[str]

    @classmethod
    def by(cls, linked: Iterable[File]) -> "_Used":
        files = tuple(linked)
        folders, parts = (file.folder for file in files), (file.part for file in files)
        return cls(frozenset(folders), frozenset(parts), frozenset(file.key for file in files))


def _why_alone(file: File, used: _Used) -> tuple[str, str | None]:
    """The reason why a file has no partner, and the sentence about it if it is a problem."""
    if file.role is Role.PICTURE:
        return PICTURE, None
    if file.role is Role.OTHER:
        return OTHER, None
    if file.role is None or not (file.sure or file.folder in used.folders):
        return UNCLEAR, None
    if file.role is Role.MASK and file.folder not in used.folders and file.key in used.keys:
        return RENDERING, None
    if file.role is Role.MASK:
        return ALONE, f"{file.path} has no image of the same name; add the image or remove the mask"
    held_back = file.part == "test" or (file.part == "validation" and file.part not in used.parts)
    if held_back:
        return UNLABELLED, None
    return ALONE, no_mask(file.path)


def no_mask(path: str) -> str:
    """The sentence about an image without a mask."""
    return f"{path} has no mask of the same name; add the mask or remove the image"


def _nothing(tree: Tree, files: Sequence[File]) -> str:
    """The sentence about a folder without a pair: its contents, and the next step."""
    images = [file for file in files if file.role is Role.IMAGE]
    masks = [file for file in files if file.role is Role.MASK]
    labels = [path for path in tree.labels if suffix_of(path) not in (".xml",)]
    if not files:
        return f"{tree.root} holds no images that can be read"
    if images and masks:
        return (
            f"{tree.root} holds {len(images)} images and {len(masks)} masks, but no image is named"
            f" like a mask, for example {images[0].path} and {masks[0].path}; say with {CHOOSE}"
            " which belong together, both with {stem} for what they share"
        )
    if images or (labels and not masks):
        count = len(images) or len(files)
        also = f", but {len(labels)} files of labels such as {labels[0]}" if labels else ""
        step = "make masks of these" if labels else "put a folder masks/ beside the images"
        return f"{tree.root} holds {count} images and no masks{also}; {step}, or say {CHOOSE}"
    return (
        f"{tree.root} holds {len(files)} pictures, and no name of a file or folder says which are"
        f" images and which are masks, for example {files[0].path}; name their folders images/ and"
        f" masks/, or say {CHOOSE}"
    )
