"""Links between images and masks by their places and stems, from the strictest reading on.

A looser reading of the folders is tried only for folders in which a stricter one linked nothing.
Within one reading the stems must be equal; else equal without the words that say a role; else the
one is the other with something constant in front or behind (``area1_noBoundary``). Where nothing
but the part is left of the folders, only names that occur once are linked, and no affix counts.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

from bohb_seg.data.layout.names import Role
from bohb_seg.data.layout.roles import File

_LOOSEST = 3
_SAMPLES = 5
"""Number of files of a folder in which constant affixes are looked for."""
_CHANNEL = re.compile(r"[_-]00\d\d")
"""The only number that is an affix: of a channel, as in ``case_000_0001``."""
_SEPARATORS = "_-. "

_Link = tuple[File, File]


def clusters(files: Iterable[File]) -> list[tuple[list[File], list[File]]]:
    """Images and masks that show the same scene, both sorted by path; one of each is the rule."""
    links = _Links()
    files = tuple(files)
    images = [file for file in files if file.role is Role.IMAGE]
    masks = [file for file in files if file.role is Role.MASK]
    for looseness in range(_LOOSEST + 1):
        links.begin(looseness)
        for by_key in (False, True):
            links.add(_equal(*links.open(images, masks), looseness, by_key))
        if looseness < _LOOSEST:
            links.add(_affixed(*links.open(images, masks), looseness))
    return links.clusters()


class _Links:
    """The links found so far, and who may still get one."""

    def __init__(self) -> None:
        self._links: list[_Link] = []
        self._linked: set[str] = set()
        self._folders_before: set[str] = set()
        self._looseness = 0

    def begin(self, looseness: int) -> None:
        """Begins a looser reading: folders linked by now are out of it."""
        self._looseness = looseness
        self._folders_before = {file.folder for link in self._links for file in link}

    def open(
        self, images: Sequence[File], masks: Sequence[File]
    ) -> tuple[Sequence[File], Sequence[File]]:
        """The files that may get a link; those of a side all linked only if the other needs it."""
        if self._looseness > 1:
            images = [file for file in images if file.folder not in self._folders_before]
            masks = [file for file in masks if file.folder not in self._folders_before]
        needy = [any(file.path not in self._linked for file in side) for side in (images, masks)]
        return (images, masks) if any(needy) else ((), ())

    def add(self, links: Iterable[_Link]) -> None:
        """Adds links of files of which at least one has none yet."""
        fresh = [
            link
            for link in links
            if self._is_open(link) and any(file.path not in self._linked for file in link)
        ]
        self._links += fresh
        self._linked |= {file.path for link in fresh for file in link}

    def _is_open(self, link: _Link) -> bool:
        done = [file.folder in self._folders_before for file in link]
        # Several folders may hold images of the same scenes, each read in its own way; but a stem
        # that lacks its partner must not take that of another scene.
        return not all(done) if self._looseness <= 1 else not any(done)

    def clusters(self) -> list[tuple[list[File], list[File]]]:
        """The connected files."""
        member: dict[str, set[File]] = {}
        for image, mask in self._links:
            joined = member.get(image.path, {image}) | member.get(mask.path, {mask})
            for file in joined:
                member[file.path] = joined
        distinct = {id(joined): joined for joined in member.values()}
        split = [
            tuple(
                sorted((f for f in joined if f.role is role), key=lambda file: file.path)
                for role in (Role.IMAGE, Role.MASK)
            )
            for joined in distinct.values()
        ]
        return sorted(((i, m) for i, m in split), key=lambda both: both[0][0].path)


def _equal(
    images: Sequence[File], masks: Sequence[File], looseness: int, by_key: bool
) -> Iterator[_Link]:
    there = _indexed(masks, looseness, by_key)
    for where, here in _indexed(images, looseness, by_key).items():
        beside = there.get(where, [])
        if looseness == _LOOSEST and (len(here) > 1 or len(beside) > 1):
            continue
        yield from ((image, mask) for image in here for mask in beside)


def _indexed(
    files: Sequence[File], looseness: int, by_key: bool
) -> dict[tuple[str | None, str], list[File]]:
    found: dict[tuple[str | None, str], list[File]] = {}
    for file in files:
        key = file.key if by_key else file.stem
        found.setdefault((file.place(looseness), key), []).append(file)
    return found


def _affixed(images: Sequence[File], masks: Sequence[File], looseness: int) -> Iterator[_Link]:
    there = _by_place(masks, looseness)
    for place, folders in _by_place(images, looseness).items():
        for here in folders.values():
            for beside in there.get(place, {}).values():
                for longer, shorter, swap in ((beside, here, False), (here, beside, True)):
                    for long, short in _extended(longer, shorter):
                        yield (long, short) if swap else (short, long)


def _by_place(files: Sequence[File], looseness: int) -> dict[str | None, dict[str, list[File]]]:
    found: dict[str | None, dict[str, list[File]]] = {}
    for file in files:
        found.setdefault(file.place(looseness), {}).setdefault(file.folder, []).append(file)
    return found


def _extended(longer: Sequence[File], shorter: Sequence[File]) -> Iterator[_Link]:
    """Files whose stem or key is another's with an affix that at least half of the folder has."""
    short = {file.key: file for file in shorter if file.key}
    samples = sorted(short)[:_SAMPLES]
    for long in ({file.key: file for file in longer}, {file.stem: file for file in longer}):
        affixes = {affix for key in samples for whole in long for affix in _affixes(whole, key)}
        for before, behind in sorted(affixes):
            found = [
                (long[before + key + behind], file)
                for key, file in short.items()
                if before + key + behind in long
            ]
            if 2 * len(found) >= min(len(long), len(short)):
                yield from found


def _affixes(whole: str, key: str) -> Iterator[tuple[str, str]]:
    """The text before and behind a key, if it is an affix and no part of a number or a name."""
    if whole == key:
        return
    if whole.startswith(key):
        behind = whole[len(key) :]
        numbered = behind.strip(_SEPARATORS).isdigit()
        if behind[0] in _SEPARATORS and (not numbered or _CHANNEL.fullmatch(behind)):
            yield "", behind
    elif whole.endswith(key):
        before = whole[: -len(key)]
        if before[-1] in _SEPARATORS and not before.strip(_SEPARATORS).isdigit():
            yield before, ""
