"""Roles and parts, as the names of folders and files say them.

A name is cut at everything that is neither letter nor digit, and each piece into known words. The
rules: case and Unicode normal form do not count; a word that says *mask* beats one that says
*image* (``label-img`` holds masks); words count in a folder's name anywhere, in a stem at its two
ends only.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache


class Role(Enum):
    """Use of a file or of the files in a folder."""

    IMAGE = "image"
    MASK = "mask"
    PICTURE = "picture for people"
    OTHER = "other layer"


_WORDS: dict[Role, str] = {
    Role.IMAGE: (
        "image images img imgs imagery sat satellite top ortho orthos orthophoto orthophotos"
        " orthoimage orthoimages orthomosaic orthomosaics rgb irrg rgbir rgbi rgbn cir naip mul"
        " pansharpen nir aerial photo photos photograph photographs input inputs source frames raw"
    ),
    Role.MASK: (
        "mask masks label labels labelmap labelmaps gt gts truth groundtruth map maps annotation"
        " annotations annot annots ann anno annos manual seg segs segmentation segmentations target"
        " targets lab labs lc lulc landcover reference references semantic"
    ),
    Role.PICTURE: (
        "vis viz visual visuals visualization visualizations visualisation visualisations overlay"
        " overlays preview previews thumbnail thumbnails thumb thumbs quicklook quicklooks browse"
        " legend screenshot screenshots blend blended"
    ),
    Role.OTHER: (
        "dsm ndsm dtm dem chm depth height heights elev elevation elevations lidar confidence"
    ),
}
_PARTS = {
    "train": "train training trn tr",
    "validation": "val valid validation",
    "test": "test testing tst ts",
}
_FILLERS = (
    "jpeg jpg png tif tiff bmp org orig original left right dir folder files file data set id ids"
    " train ground class classes for participants all new final fine 8bit 16bit no boundary eroded"
    " edge edges coarse color colors colour colours colored coloured colorized instance instances"
    " object objects human machine hand index"
)
"""Words that say nothing of a role, but stand beside one that does."""

_LESSER = {
    Role.IMAGE: frozenset(["irrg", "rgbir", "rgbi", "rgbn", "cir", "nir", "mul"]),
    Role.MASK: frozenset(
        [
            "no",
            "boundary",
            "human",
            "eroded",
            "edge",
            "edges",
            "coarse",
            "color",
            "colors",
            "colour",
            "colours",
            "colored",
            "coloured",
            "colorized",
            "rgb",
            "instance",
            "instances",
            "object",
            "objects",
            "train",
            "tr",
        ]
    ),
}
"""Words of renderings that give way if a plainer one of the same scene is there."""

_ROLE_OF = {word: role for role, words in _WORDS.items() for word in words.split()}
_PART_OF = {word: part for part, words in _PARTS.items() for word in words.split()}
_KNOWN = frozenset([*_ROLE_OF, *_PART_OF, *_FILLERS.split()])
_LONGEST = max(map(len, _KNOWN))
_ONLY_BEHIND = frozenset(("tr", "ts"))
"""Too short to be believed unless they follow a word, as in ``imagesTr``."""
_STRONGEST = (Role.PICTURE, Role.OTHER, Role.MASK, Role.IMAGE)

_PIECE = re.compile(r"[^\W_]+")


@dataclass(frozen=True)
class Reading:
    """The meaning of one name.

    Args:
        role: The role that it says, or None.
        part: ``"train"``, ``"validation"`` or ``"test"``, if it says exactly one of them.
        words: The known words that were found in it.
        rest: The name, folded, without the words that say a role and those beside them.
    """

    role: Role | None
    part: str | None
    words: tuple[str, ...]
    rest: str


def fold(name: str) -> str:
    """The name as it is compared: without case and in one normal form (NFC)."""
    # Folding may undo the normal form, and composing may undo the folding.
    return unicodedata.normalize(
        "NFC", unicodedata.normalize("NFD", unicodedata.normalize("NFC", name).casefold())
    )


@lru_cache(maxsize=65536)
def read_folder(name: str) -> Reading:
    """Reads the name of one folder; known words count wherever they stand."""
    folded = fold(name)
    words: list[str] = []
    rest = []
    for match in _PIECE.finditer(folded):
        known, left = _of_piece(match.group())
        words += known
        if left:
            rest.append(left)
    part = _part(words)
    role = _role(words)
    return Reading(role, part, tuple(words), " ".join(rest) if role else folded)


@lru_cache(maxsize=65536)
def read_stem(stem: str) -> Reading:
    """Reads a file's name without its suffix; known words count at its ends only."""
    folded = fold(stem)
    pieces = list(_PIECE.finditer(folded))
    end, behind = _strip(pieces, len(folded), backward=True)
    start, before = _strip([piece for piece in pieces if piece.end() <= end], 0, backward=False)
    words = (*before, *behind)
    rest = folded[start : max(start, end)].strip(" _-.")
    first = _of_piece(pieces[0].group())[0] if pieces else ()
    return Reading(_role(words), _part(first), words, rest)


def part_of(name: str) -> str | None:
    """The part that a folder's name says and nothing else: ``val`` and ``valid`` are one."""
    return _PART_OF.get(fold(name))


def lesser(role: Role, words: Iterator[str]) -> int:
    """How far a rendering is from the plain one: the number of words such as ``eroded``."""
    return sum(word in _LESSER[role] for word in words)


def _strip(pieces: list[re.Match[str]], edge: int, backward: bool) -> tuple[int, tuple[str, ...]]:
    """Where the name begins (ends) without the known words at that side, and those words.

    Fillers go only together with a word that says a role: ``a_new`` and ``a_old`` are two scenes.
    """
    words: tuple[str, ...] = ()
    passed: tuple[str, ...] = ()
    for piece in reversed(pieces) if backward else pieces:
        known, left = _at_end(piece.group(), backward)
        if not known:
            break
        passed += known
        if any(word in _ROLE_OF for word in known):
            words = passed
            edge = piece.start() + len(left) if backward else piece.end() - len(left)
        if left:
            break
    return edge, words


def _at_end(piece: str, backward: bool) -> tuple[tuple[str, ...], str]:
    """The words at one side of a piece whose other side is a number, and that number."""
    if whole := _segment(piece):
        return whole, ""
    pattern = r"(?P<left>\d+)(?P<word>\D+)" if backward else r"(?P<word>\D+)(?P<left>\d+)"
    match = re.fullmatch(pattern, piece)
    return (_segment(match["word"]), match["left"]) if match else ((), piece)


def _of_piece(piece: str) -> tuple[tuple[str, ...], str]:
    """The known words in a piece of a folder's name, and what is left of it."""
    if whole := _segment(piece):
        return whole, ""
    runs = re.findall(r"\d+|\D+", piece)
    known = [_segment(run) for run in runs]
    left = "".join(run for run, words in zip(runs, known, strict=True) if not words)
    return tuple(word for words in known for word in words), left


@lru_cache(maxsize=65536)
def _segment(text: str) -> tuple[str, ...]:
    """Cuts text into known words without a rest, longest first; () if that cannot be done."""
    if text in _KNOWN and text not in _ONLY_BEHIND:
        return (text,)
    for length in range(min(_LONGEST, len(text) - 1), 1, -1):
        head, tail = text[:length], text[length:]
        if head in _KNOWN and head not in _ONLY_BEHIND:
            behind = (tail,) if tail in _ONLY_BEHIND else _segment(tail)
            if behind:
                return (head, *behind)
    return ()


def _role(words: tuple[str, ...] | list[str]) -> Role | None:
    said = {_ROLE_OF[word] for word in words if word in _ROLE_OF}
    return next((role for role in _STRONGEST if role in said), None)


def _part(words: tuple[str, ...] | list[str]) -> str | None:
    said = {_PART_OF[word] for word in words if word in _PART_OF}
    return said.pop() if len(said) == 1 else None
