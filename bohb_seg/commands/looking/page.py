"""The page about a data set: one self-contained HTML file without a script; it fetches nothing."""

import base64
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from bohb_seg.commands.looking import atlas, facts
from bohb_seg.data.colouring import IGNORED_GREY, as_hex
from bohb_seg.data.looking.outlook import Outlook
from bohb_seg.data.looking.pictures import Picture, pictures
from bohb_seg.data.looking.remarks import Choice, all_doubts, chosen, named, remarks, shares
from bohb_seg.data.pixels import Pixels
from bohb_seg.files import write_whole
from bohb_seg.report import templates
from bohb_seg.settings import flag_of

EDGE = 260
"""Longest edge of a picture in its own pixels, about."""
MOST_PICTURES = 3
"""Pictures of one sentence."""
MOST_ILLUSTRATED, MOST_SENTENCES = 16, 200
"""Sentences that have pictures, and sentences that are listed."""
SHOWN = 4
"""Pictures of each part."""
MOST_UNDERLAID = 12
"""Images whose picture lies below the parts on the map, up to so many in all."""
_NO_CLASS = "of no class"


@dataclass(frozen=True)
class Sentence:
    """A sentence about the data, and the pictures of the images that it names."""

    text: str
    pictures: Sequence[Picture]
    more: int


def write(known: Outlook, command: str, place: Path) -> None:
    """Writes the page.

    Args:
        known: The data set; it may be refused.
        command: The command that asks for the page.
        place: The file.

    Raises:
        DataError: the store is damaged, or cannot be read.
        OSError: the file cannot be written.
    """
    write_whole(place, render(known, command))


def render(known: Outlook, command: str) -> str:
    """The page's HTML."""
    environment = templates.environment()
    environment.filters.update(
        jpeg=_jpeg, png=_png, grey=_grey, percent=_percent, count="{:,}".format
    )
    source = files("bohb_seg.commands.looking").joinpath("page.html").read_text(encoding="utf-8")
    groups = atlas.groups(known)
    underlaid = list(range(len(known.names))) if len(known.names) <= MOST_UNDERLAID else []
    return environment.from_string(source).render(
        known=known,
        command=command,
        problems=list(_sentences(known, known.problems)),
        more_problems=max(0, len(known.problems) - MOST_SENTENCES),
        warnings=list(_sentences(known, _warnings(known))),
        classes=facts.classes(known),
        ignored=as_hex(IGNORED_GREY),
        parts=facts.parts(known),
        kinds=facts.kinds(known),
        groups=groups,
        named=len(known.names) <= atlas.MOST_NAMED,
        drawn=sum(len(group.cells) for group in groups),
        under=dict(zip(underlaid, _plain(known, underlaid), strict=True)) if groups else {},
        looks=_looks(known),
        settings=_settings(known),
        version=version("bohb-seg"),
        written=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
    )


def words(path: str | None, config: Path | None, page: Path, flags: Mapping[str, Any]) -> str:
    """The command line of ``bohb-data check`` that asks for a page, to be typed again."""
    said = ["bohb-data", "check", *([path] if path is not None else ())]
    if config is not None:
        said += ["--config", str(config)]
    for name, value in flags.items():
        if isinstance(value, bool):
            said.append(flag_of(name) if value else f"--no-{flag_of(name)[2:]}")
        elif value is not None:
            values = value if isinstance(value, tuple) else (value,)
            said += [word for each in values for word in (flag_of(name), str(each))]
    return shlex.join([*said, "--html", str(page)])


def _warnings(known: Outlook) -> Sequence[str]:
    if known.data:
        return known.data.audit.warnings
    return [doubt.sentence for doubt in all_doubts(known)] if known.records else ()


def _sentences(known: Outlook, texts: Sequence[str]) -> Iterator[Sentence]:
    number = {name: image for image, name in enumerate(known.names)}
    for place, text in enumerate(texts[:MOST_SENTENCES]):
        images = [number[name] for name in named(text, known.names)]
        if not images and _NO_CLASS in text:
            images = _strangest(known)
        shown = images[:MOST_PICTURES] if place < MOST_ILLUSTRATED else []
        yield Sentence(text, _plain(known, shown), len(images) - len(shown))


def _strangest(known: Outlook) -> list[int]:
    """The images with the largest shares of pixels of no class."""
    sums = {
        image: sum(record.unknown.values()) / (record.original[0] * record.original[1])
        for image, record in enumerate(known.records)
        if record.unknown
    }
    return sorted(sums, key=lambda image: -sums[image])[:MOST_PICTURES]


def _plain(known: Outlook, images: Sequence[int]) -> list[Picture]:
    return list(pictures(known, [Choice(image, (), False) for image in images], EDGE))


def _looks(known: Outlook) -> Mapping[str, Sequence[Picture]]:
    """A few pictures of each part, or of all images if there are no parts."""
    table = known.collection.code.classes.names if known.collection else ()
    found = remarks(known)
    return {
        part: list(pictures(known, chosen(found, those, table, SHOWN), EDGE, part or None))
        for part, those in shares(known).items()
    }


def _settings(known: Outlook) -> Mapping[str, str]:
    chosen_values = known.settings.model_dump(exclude={"log_level"}, exclude_none=True)
    return {flag_of(name): str(value) for name, value in chosen_values.items()}


def _jpeg(image: Pixels) -> str:
    return _uri("jpeg", ".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 88])


def _grey(image: Pixels) -> Pixels:
    """A picture without colours, on which those of the parts can be told apart."""
    return np.repeat(image.mean(axis=2, keepdims=True).astype(np.uint8), 3, axis=2)


def _png(image: Pixels) -> str:
    return _uri("png", ".png", image, [])


def _uri(kind: str, suffix: str, image: Pixels, options: list[int]) -> str:
    content = cv2.imencode(suffix, image[..., ::-1], options)[1].tobytes()
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def _percent(share: float) -> str:
    if not share:
        return "0 %"
    return f"{share:.1%}".replace("%", " %") if share >= 0.001 else "< 0.1 %"
