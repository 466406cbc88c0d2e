"""Pairs by two patterns, for what no convention covers: ``--images GLOB --masks GLOB``.

``{stem}`` stands for what both names share, within one name; ``*`` and ``?`` stay within a name,
``**/`` is any number of folders. Without ``{stem}`` the whole stems must be equal. Where one stem
occurs several times, what the wildcards stand for must be equal too.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from bohb_seg.data.layout.names import fold
from bohb_seg.data.layout.pairs import CHOOSE, Found, make_pair
from bohb_seg.data.layout.roles import File, assign
from bohb_seg.data.layout.search import LeftOut, Tree

NOT_NAMED = "not meant by --images or --masks"
ALONE = "without a partner for its {stem}"

_TOKENS = re.compile(r"(?P<stem>\{stem\})|(?P<deep>\*\*/?)|(?P<wild>\*|\?)")

_Hit = tuple[str, tuple[str, ...]]
"""What ``{stem}`` and what the wildcards stand for."""


def pair_by_globs(tree: Tree, images: str, masks: str) -> Found:
    """Pairs the files that the two patterns mean.

    Args:
        tree: All that the data folder holds.
        images: Pattern of the images' paths below the data folder.
        masks: Pattern of the masks' paths below the data folder.
    """
    files = {file.path: file for file in assign(tree.images)}
    here, there = (_hits(files, pattern) for pattern in (images, masks))
    both = sorted(here.keys() & there.keys())
    if both:
        return _refused(tree, f"{both[0]} is meant by --images and by --masks; narrow one of them")
    for hits, flag, pattern in ((here, "--images", images), (there, "--masks", masks)):
        if not hits:
            return _refused(
                tree, f"{flag} {pattern!r} means no file below {tree.root}; see what it holds"
            )
    return _paired(tree, files, here, there)


def _paired(
    tree: Tree, files: Mapping[str, File], here: Mapping[str, _Hit], there: Mapping[str, _Hit]
) -> Found:
    masks = _by_stem(there)
    pairs, used, problems = [], set(), []
    for stem, images in _by_stem(here).items():
        for image in images:
            beside = masks.get(stem, [])
            if len(beside) > 1 or len(images) > 1:
                beside = [mask for mask in beside if there[mask][1] == here[image][1]]
            if len(beside) == 1 and beside[0] not in used:
                pairs.append(make_pair(tree, files[image], files[beside[0]]))
                used |= {image, beside[0]}
            elif beside:
                what = f"{len(beside)} masks" if len(beside) > 1 else "a mask of another image"
                problems.append(f"--images and --masks give {image} {what}; narrow the patterns")
            elif files[image].part != "test":
                problems.append(f"{image} has no mask by --masks; add it or narrow --images")
    named = here.keys() | there.keys()
    for mask in sorted(there.keys() - used):
        problems.append(f"{mask} has no image by --images; add it or narrow --masks")
    left_out = [
        LeftOut(path, ALONE if path in named else NOT_NAMED) for path in files if path not in used
    ]
    everything = tuple(sorted((*tree.left_out, *left_out)))
    return Found(tuple(sorted(pairs, key=lambda p: p.name)), {}, everything, tuple(problems))


def _refused(tree: Tree, sentence: str) -> Found:
    left_out = tuple(sorted((*tree.left_out, *(LeftOut(p, NOT_NAMED) for p in tree.images))))
    return Found((), {}, left_out, (f"{sentence}; {CHOOSE} are paths below the data folder",))


def _by_stem(hits: Mapping[str, _Hit]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for path, (stem, _) in sorted(hits.items()):
        found.setdefault(stem, []).append(path)
    return found


def _hits(paths: Iterable[str], pattern: str) -> dict[str, _Hit]:
    """The paths that a pattern means."""
    matcher, has_stem = _matcher(pattern)
    found = {}
    for path in paths:
        if match := matcher.fullmatch(fold(path)):
            stem = match["stem"] if has_stem else fold(PurePosixPath(path).stem)
            found[path] = stem, _wildcards(match, has_stem)
    return found


def _wildcards(match: re.Match[str], has_stem: bool) -> tuple[str, ...]:
    number = match.re.groupindex.get("stem", 0) if has_stem else 0
    return tuple(text or "" for at, text in enumerate(match.groups(), start=1) if at != number)


def _matcher(pattern: str) -> tuple[re.Pattern[str], bool]:
    """The regular expression of a pattern, with a group a wildcard."""
    expression, end, has_stem = "", 0, False
    folded = fold(pattern.replace("\\", "/").removeprefix("./"))
    for token in _TOKENS.finditer(folded):
        expression += re.escape(folded[end : token.start()])
        end = token.end()
        if token["stem"]:
            expression += "(?P=stem)" if has_stem else "(?P<stem>[^/]+)"
            has_stem = True
        elif token["deep"]:
            expression += "((?:[^/]+/)*)" if token["deep"].endswith("/") else "(.*)"
        else:
            expression += "([^/]*)" if token["wild"] == "*" else "([^/])"
    return re.compile(expression + re.escape(folded[end:])), has_stem
