"""Pairs by two patterns, for what no convention covers: ``--images GLOB --masks GLOB``.

``{stem}`` stands for what both names share, within one name; ``*`` and ``?`` stay within a name,
``**/`` is any number of folders. Without ``{stem}`` the whole stems must be equal. Where one stem
occurs several times, what the wildcards stand for must be equal too.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath

from bohb_seg.data.layout.names import fold
from bohb_seg.data.layout.pairs import CHOOSE, Found, make_pair
from bohb_seg.data.layout.roles import File, assign
from bohb_seg.data.layout.search import LeftOut, Tree

NOT_NAMED = "not meant by --images or --masks"
ALONE = "without a partner for its {stem}"

_TOKENS = re.compile(r"(?P<stem>\{stem\})|(?P<deep>\*\*/?)|(?P<wild>\*|\?)")

_Hit = tuple[str, tuple[str, ...]]
"""The text that ``{stem}`` stands for, and those of the wildcards."""


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
    images, masks = _by_stem(here), _by_stem(there)
    pairs, used, problems = [], set(), []
    for stem in sorted(images.keys() | masks.keys()):
        left, right = images.get(stem, []), masks.get(stem, [])
        linked, sentences = _of_stem(stem, left, right, here, there)
        held_back = not right and all(files[path].part == "test" for path in left)
        problems += [] if held_back else sentences
        for image, mask in linked:
            pairs.append(make_pair(tree, files[image], files[mask]))
            used |= {image, mask}
    named = here.keys() | there.keys()
    left_out = [
        LeftOut(path, ALONE if path in named else NOT_NAMED) for path in files if path not in used
    ]
    everything = tuple(sorted((*tree.left_out, *left_out)))
    return Found(tuple(sorted(pairs, key=lambda p: p.name)), {}, everything, tuple(problems))


def _of_stem(
    stem: str,
    images: Sequence[str],
    masks: Sequence[str],
    here: Mapping[str, _Hit],
    there: Mapping[str, _Hit],
) -> tuple[list[tuple[str, str]], list[str]]:
    """The pairs among the files of one stem, and sentences about the rest."""
    if len(images) == len(masks) == 1:
        return [(images[0], masks[0])], []
    beside = {image: [m for m in masks if there[m][1] == here[image][1]] for image in images}
    owners = {mask: [i for i in images if mask in beside[i]] for mask in masks}
    pairs = [(i, m[0]) for i, m in beside.items() if len(m) == 1 and len(owners[m[0]]) == 1]
    done = {path for pair in pairs for path in pair}
    left, right = ([path for path in side if path not in done] for side in (images, masks))
    if left and right:
        both = f"{' and '.join(left[:2])} and {' and '.join(right[:2])}"
        return pairs, [f"{both} share the stem {stem!r}; narrow --images or --masks"]
    alone = [f"{path} has no mask by --masks; add it or narrow --images" for path in left]
    alone += [f"{path} has no image by --images; add it or narrow --masks" for path in right]
    return pairs, alone


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
