"""Doubts about images that can be decoded: what decoders complain of, and images unlike the others.

libjpeg and libpng repair what is damaged and complain on the process's standard error alone. So
files are decoded once more in processes of their own, whose standard error belongs to one file at a
time; a decoder that crashes ends no more than such a process. JPEG data within TIFF are not heard:
neither libtiff's users nor GDAL learn of libjpeg's complaints there.
"""

import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bohb_seg.data.imagery.facts import Facts
from bohb_seg.data.imagery.scaling import Scaling
from bohb_seg.machine import processors

DARK_LEVEL = 8
"""Of 255: an image is nearly black if its :attr:`Range.bright` is darker in every band."""

LARGEST_RESOLUTION_RATIO = 1.1
"""Ground resolutions further apart than this are different ones."""

_NAMED = 3
"""Images that a sentence names; the rest is counted."""

_HARMLESS = ("iCCP", "sBIT", "Invalid SOS parameters")
"""Complaints about what changes no pixel, or what well-known cameras write."""

_PLACE = re.compile(r"^\[ ?\w+:\S+\] global \S+ \w+ ")
"""Place in OpenCV's source with which its own log lines begin."""

_DECODE_EACH = """
import os, sys
import cv2
import numpy as np
for number, path in enumerate(sys.stdin.buffer.read().split(b"\\0")):
    os.write(2, b"\\0%d\\n" % number)
    try:
        with open(path, "rb") as file:
            cv2.imdecode(np.frombuffer(file.read(), np.uint8), cv2.IMREAD_UNCHANGED)
    except Exception:
        pass
"""


def decoder_warnings(paths: Sequence[Path]) -> Mapping[Path, tuple[str, ...]]:
    """Complaints of OpenCV's decoders about JPEG, PNG and other ordinary image files.

    Args:
        paths: Regular files; those that cannot be read are passed over.

    Returns:
        Each file that its decoder complained of, with the complaints in its own words.
    """
    count = min(processors(), len(paths))
    if not count:
        return {}
    with ThreadPoolExecutor(count) as pool:
        found = pool.map(_complaints, (paths[start::count] for start in range(count)))
        return {path: words for each in found for path, words in each.items()}


def _complaints(paths: Sequence[Path]) -> Mapping[Path, tuple[str, ...]]:
    found: dict[Path, tuple[str, ...]] = {}
    while paths:
        done = subprocess.run(
            [sys.executable, "-I", "-c", _DECODE_EACH],
            input=b"\0".join(map(os.fsencode, paths)),
            capture_output=True,
            check=False,
        )
        reached = -1
        for part in done.stderr.split(b"\0")[1:]:
            number, _, text = part.partition(b"\n")
            reached = int(number)
            lines = [_PLACE.sub("", line) for line in text.decode(errors="replace").splitlines()]
            if words := tuple(line for line in dict.fromkeys(lines) if _counts(line)):
                found[paths[reached]] = words
        if not done.returncode:
            break
        if reached < 0:
            raise OSError(f"decoding in a process of its own failed with {done.returncode}")
        found[paths[reached]] = ("the decoder crashes on it",)
        paths = paths[reached + 1 :]
    return found


def _counts(line: str) -> bool:
    return bool(line.strip()) and not any(harmless in line for harmless in _HARMLESS)


@dataclass(frozen=True)
class Range:
    """The values that an image holds where it holds data; each field has one value for each band.

    Args:
        lowest: The smallest values.
        bright: Values that 99 of 100 pixels do not exceed, by a sample of the pixels.
        highest: The largest values.
    """

    lowest: tuple[float, ...]
    bright: tuple[float, ...]
    highest: tuple[float, ...]


@dataclass(frozen=True)
class Look:
    """One image as it is judged.

    Args:
        name: The image's name.
        facts: Its file's facts, with the complaints of its decoder among the warnings.
        values: Its values; None if no pixel holds data.
        scaling: Makes them those that a network sees.
    """

    name: str
    facts: Facts
    values: Range | None
    scaling: Scaling

    @property
    def is_constant(self) -> bool:
        """Whether all its pixels are equal."""
        return self.values is not None and self.values.lowest == self.values.highest

    @property
    def is_dark(self) -> bool:
        """Whether it is nearly black, and has more than one value."""
        if self.values is None or self.is_constant:
            return False
        bright = np.array([[self.values.bright]]).astype(self.scaling.dtype)
        return bool(self.scaling.apply(bright, np.ones((1, 1), np.bool_)).max() < DARK_LEVEL)


@dataclass(frozen=True)
class Doubt:
    """A doubt about some images.

    Args:
        names: The images' names.
        sentence: One sentence about all of them.
        short: A few words about each of them.
    """

    names: tuple[str, ...]
    sentence: str
    short: str


def findings(looks: Sequence[Look]) -> tuple[str, ...]:
    """One sentence for each kind of doubt, worst first.

    Args:
        looks: All images of a data set.
    """
    return tuple(doubt.sentence for doubt in doubts(looks))


def doubts(looks: Sequence[Look]) -> tuple[Doubt, ...]:
    """The doubts about images, one for each kind, worst first.

    Args:
        looks: All images of a data set.
    """
    alike: dict[str, list[tuple[str, str]]] = {}
    for each in looks:
        for word in each.facts.warnings:
            # Complaints that differ in a count or an offset alone are one complaint.
            alike.setdefault(re.sub(r"\d+", "0", word), []).append((each.name, word))
    found = [
        _doubt(
            [name for name, _ in said],
            f": {said[0][1]}; look at {{it}} before training",
            said[0][1],
        )
        for said in alike.values()
    ]
    for words, short, test in _DOUBTS:
        if names := [each.name for each in looks if test(each)]:
            found.append(_doubt(names, words, short))
    return (*found, *_unlike(looks), *_not_applied(looks))


_DOUBTS: tuple[tuple[str, str, Callable[[Look], bool]], ...] = (
    (
        " {have} no pixel with data; leave {it} out",
        "no pixel with data",
        lambda each: each.values is None,
    ),
    (
        " {are} of a single colour; leave {it} out, or export {it} again",
        "a single colour",
        lambda each: each.is_constant,
    ),
    (
        " {are} nearly black; look at {it} before training",
        "nearly black",
        lambda each: each.is_dark,
    ),
)


def _doubt(names: Sequence[str], words: str, short: str) -> Doubt:
    one = len(names) == 1
    for mark, single, several in _FORMS:
        words = words.replace(mark, single if one else several)
    more = len(names) - _NAMED
    named = ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
    return Doubt(tuple(names), named + words, short)


_FORMS = (("{are}", "is", "are"), ("{have}", "has", "have"), ("{it}", "it", "them"))
"""Words of a sentence that differ with the number of images."""


def _unlike(looks: Sequence[Look]) -> list[Doubt]:
    """Images that differ from most in type, bands or ground resolution."""
    found = []
    for form, fact in _FACTS.items():
        values = {each.name: fact(each.facts) for each in looks}
        known = Counter(value for value in values.values() if value is not None)
        if not known:
            continue
        usual = known.most_common(1)[0][0]
        odd = {n: v for n, v in values.items() if v is not None and not _close(v, usual)}
        if odd:
            shown = list(dict.fromkeys(map(_show, odd.values())))
            which = form.format(" or ".join(shown[:_NAMED]))
            apart = f"{which}, most others {form.format(_show(usual))}"
            words = f" {{have}} {apart}; check that they belong to one data set"
            found.append(_doubt([*odd], words, apart))
    return found


def _not_applied(looks: Sequence[Look]) -> list[Doubt]:
    found = []
    if turned := [each.name for each in looks if each.facts.orientation != 1]:
        words = (
            " {are} turned by viewers (EXIF orientation), but read as stored; check that the masks"
            " were drawn on the stored picture"
        )
        found.append(_doubt(turned, words, "turned by viewers (EXIF)"))
    profiles = Counter(each.facts.profile for each in looks)
    for profile in profiles.keys() - {None, "sRGB"}:
        names = [each.name for each in looks if each.facts.profile == profile]
        which = f"a colour profile ({profile or 'without a name'})"
        words = (
            f" {{have}} {which} that is not applied; convert all images to one if their colours"
            " differ"
        )
        found.append(_doubt(names, words, which))
    return found


def resolution(facts: Facts) -> float | None:
    """Side of a pixel in units of the coordinate system."""
    if facts.transform is None:
        return None
    a, b, _, d, e, _ = facts.transform
    return float(np.sqrt(abs(a * e - b * d)))


_FACTS: Mapping[str, Callable[[Facts], object]] = {
    "values of type {}": lambda facts: facts.dtype,
    "{} band(s)": lambda facts: facts.bands - (facts.alpha is not None),
    "a ground resolution of {}": resolution,
}


def _close(value: object, usual: object) -> bool:
    if isinstance(value, float) and isinstance(usual, float):
        return max(value, usual) <= LARGEST_RESOLUTION_RATIO * min(value, usual)
    return value == usual


def _show(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
