"""Groups of images that must not be torn apart, and the split that suits a data set."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from bohb_seg.data.collection import Collection
from bohb_seg.errors import SettingsError

FEWEST_GROUPS = 3
"""Train, validation and test need one group each."""
MANY_IMAGES = 30
"""From so many images on, whole ones give parts of the wanted sizes, and nothing is lost between
blocks."""

_COPY = re.compile(r"[._](?:jpe?g|png|tiff?|bmp|webp)\.rf\.[0-9a-z]+$", re.IGNORECASE)
"""The end of the name of an augmented copy: suffix of the original, mark and hash."""


def grouped(found: Collection, expression: str | None) -> Collection:
    """The same files in the groups that count.

    Args:
        found: Files of a data set, in the groups of their folders.
        expression: The value of ``--group-by``, or None for the groups of the folders.

    Raises:
        SettingsError: the expression is wrong, or does not match an image.
    """
    groups = {pair.name: pair.group for pair in found.pairs}
    groups = without_copies(group_by(expression, groups) if expression else groups)
    pairs = tuple(replace(pair, group=groups[pair.name]) for pair in found.pairs)
    return replace(found, pairs=pairs)


def group_by(expression: str, paths: Iterable[str]) -> dict[str, str]:
    """The group of every path by ``--group-by``.

    Args:
        expression: A regular expression that is searched in the path below the data folder; the
            group is what its brackets hold, or all that it matches if it has none.
        paths: Paths with forward slashes.

    Raises:
        SettingsError: the expression is wrong, or does not match a path.
    """
    try:
        matcher = re.compile(expression)
    except re.error as error:
        raise SettingsError(
            f"--group-by {expression!r} is no regular expression: {error}; mend it"
        ) from error
    matches = {path: matcher.search(path) for path in paths}
    missed = sorted(path for path, match in matches.items() if match is None)
    if missed:
        raise SettingsError(
            f"--group-by {expression!r} matches {len(matches) - len(missed)} of {len(matches)}"
            f" images, but not {missed[0]}; mend the expression"
        )
    return {path: _held(match) for path, match in matches.items() if match}


def without_copies(groups: Mapping[str, str]) -> dict[str, str]:
    """The same groups by path, but for copies of one image: they make a group of their own.

    Args:
        groups: Group by path; copies are named ``name_jpg.rf.HASH.jpg``.
    """
    return {path: _original(path) or group for path, group in groups.items()}


def default_split(groups: Sequence[str], has_official: bool) -> str:
    """The split that is used if none is asked for: ``folders``, ``group``, ``image`` or ``block``.

    Args:
        groups: Group of every image.
        has_official: Whether folders or lists say the parts.
    """
    if has_official:
        return "folders"
    if len(set(groups)) >= FEWEST_GROUPS:
        return "group"
    return "image" if len(groups) >= MANY_IMAGES else "block"


def _held(match: re.Match[str]) -> str:
    return "/".join(text or "" for text in match.groups()) if match.groups() else match.group()


def _original(path: str) -> str | None:
    pure = PurePosixPath(path)
    found = _COPY.search(pure.stem)
    return str(pure.with_name(pure.stem[: found.start()])) if found else None
