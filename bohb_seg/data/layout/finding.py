"""From a data folder to its pairs, their official parts, and what is left out and why."""

from dataclasses import replace
from pathlib import Path

from bohb_seg.data.layout.globs import pair_by_globs
from bohb_seg.data.layout.official import official_split
from bohb_seg.data.layout.pairs import CHOOSE, UNLISTED, Found, no_mask, pair_up
from bohb_seg.data.layout.search import NOWHERE, LeftOut, Tree, search
from bohb_seg.errors import DataError


def find(
    root: Path, images: str | None = None, masks: str | None = None, with_parts: bool = True
) -> Found:
    """Finds the pairs below a folder; see :func:`find_in`."""
    return find_in(search(root), images, masks, with_parts)


def find_in(
    tree: Tree, images: str | None = None, masks: str | None = None, with_parts: bool = True
) -> Found:
    """Finds the pairs of a data folder, by the names in it or by two patterns.

    Args:
        tree: The data folder.
        images: Pattern of the images' paths below it (``--images``), or None.
        masks: Pattern of the masks' paths below it (``--masks``), or None.
        with_parts: Whether the official split is wanted.

    Raises:
        DataError: only one of the two patterns is given.
    """
    if images is not None and masks is not None:
        found = pair_by_globs(tree, images, masks)
    elif images is None and masks is None:
        found = pair_up(tree)
    else:
        raise DataError(f"--images and --masks go together; give both: {CHOOSE}")
    dead = [out.path for out in tree.left_out if out.reason == NOWHERE]
    problems = (*(f"{path} is a link to nothing; mend or remove it" for path in dead),)
    found = replace(found, problems=(*problems, *found.problems))
    return with_official_parts(tree, found) if with_parts else found


def with_official_parts(tree: Tree, found: Found) -> Found:
    """The same with the split that the data set is published with."""
    official = official_split(tree, found.pairs)
    left_out, problems = found.left_out, found.problems
    if official.needed is not None:
        spared = {
            out.path
            for out in left_out
            if no_mask(out.path) in problems and out.path not in official.needed
        }
        sentences = set(map(no_mask, spared))
        left_out = tuple(LeftOut(e.path, UNLISTED) if e.path in spared else e for e in left_out)
        problems = tuple(problem for problem in problems if problem not in sentences)
    return replace(
        found,
        parts=official.parts,
        left_out=tuple(sorted((*left_out, *official.left_out))),
        problems=(*problems, *official.problems),
    )
