"""The import contract of pyproject.toml as a picture of floors."""

from collections.abc import Mapping, Sequence

from extension.commands import project
from extension.svg import Box, drawing, width_of, word

HEIGHT, GAP = 34, 8
"""Height of a box; distance between two floors and between two boxes."""
WIDTH = 680


def contracts() -> Sequence[Mapping[str, object]]:
    """The contracts of import-linter."""
    return project()["tool"]["importlinter"]["contracts"]  # type: ignore[index,return-value]


def floors() -> list[list[str]]:
    """The packages of each floor, from the top down."""
    layers = next(each["layers"] for each in contracts() if each["type"] == "layers")
    return [[name.strip() for name in floor.split("|")] for floor in layers]  # type: ignore[attr-defined]


def half(name_begins: str) -> set[str]:
    """The packages that a contract whose name begins so keeps apart from the others."""
    found = next(each for each in contracts() if str(each["name"]).startswith(name_begins))
    return {module.partition(".")[2] for module in found["source_modules"]}  # type: ignore[attr-defined]


def diagram() -> str:
    """The floors as an SVG figure; deciding and training in colours of their own."""
    deciding, training = half("What decides"), half("What trains")
    parts = []
    for row, names in enumerate(floors()):
        kinds = {name: _kind(name, deciding, training) for name in names}
        parts += [box.drawn() for box in _floor(2 + row * (HEIGHT + GAP), kinds)]
    bottom = 2 + len(floors()) * (HEIGHT + GAP)
    height = bottom + HEIGHT
    return drawing(WIDTH + 4, height, "Packages by floor", [*parts, *_legend(bottom + 20)])


def _kind(name: str, deciding: set[str], training: set[str]) -> str:
    if name in deciding:
        return "box deciding"
    return "box training" if name in training else "box"


def _floor(y: float, kinds: Mapping[str, str]) -> list[Box]:
    """The boxes of a floor, which share its whole width as their names need it."""
    needed = {name: width_of(name) for name in kinds}
    spare = (WIDTH - GAP * (len(kinds) - 1) - sum(needed.values())) / len(kinds)
    boxes, x = [], 2.0
    for name, kind in kinds.items():
        boxes.append(Box(x, y, needed[name] + spare, HEIGHT, name, kind))
        x += needed[name] + spare + GAP
    return boxes


def _legend(y: float) -> list[str]:
    entries = (("deciding", "decides"), ("training", "trains"), ("", "belongs to neither half"))
    parts = []
    for place, (kind, text) in enumerate(entries):
        x = 2 + place * 130
        parts.append(f'<rect class="box {kind}" x="{x}" y="{y - 11}" width="14" height="14"/>')
        parts.append(word(x + 22, y, text, "start"))
    return parts
